import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readRequestPath } from "./request-path.ts";

describe("the path of a request", () => {
  test.each([
    ["/", "/"],
    ["/a/b", "/a/b"],
    ["/a/", "/a/"],
    ["/a?b=/../c", "/a"],
    ["/%61%2d%7E", "/a-~"],
    ["/@types%40x", "/@types@x"],
    ["/a%20b", "/a b"],
    ["/%C3%A9", "/é"],
    ["/...", "/..."],
    ["/a%3Fb", "/a?b"],
  ])("%s is %s", (target, path) => {
    expect(readRequestPath(target)).toEqual({ ok: true, value: path });
  });

  test.each([
    ["", "slash"],
    ["*", "slash"],
    ["a/b", "slash"],
    ["/a#b", "fragment"],
    ["/a%", "no escape"],
    ["/a%2", "no escape"],
    ["/a%zz", "no escape"],
    ["/a%2fb", "encoded slash"],
    ["/a%2Fb", "encoded slash"],
    ["/a%5cb", "encoded slash"],
    ["/a\\b", "backslash"],
    ["/a/../b", "dot segment"],
    ["/a/..", "dot segment"],
    ["/./a", "dot segment"],
    ["/%2e%2E/a", "dot segment"],
    ["/.%2e/a", "dot segment"],
    ["/a%252fb", "encoded twice"],
    ["/%25%32%65", "encoded twice"],
    ["//a", "empty segment"],
    ["/a//", "empty segment"],
    ["/a;b", "parameter"],
    ["/a%3bb", "parameter"],
    ["/a%00", "control"],
    ["/a%0d%0a", "control"],
    ["/a%7f", "control"],
    ["/a\tb", "belong in escapes"],
    ["/a b", "belong in escapes"],
    ["/é", "belong in escapes"],
    ["/%ff", "UTF-8"],
    ["/%c0%af", "UTF-8"],
    ["/%EF%BC%8Fb", "read as others"],
    ["/%E2%80%AE", "control"],
  ])("%j has no one reading", (target, problem) => {
    expect(readRequestPath(target)).toMatchObject({
      ok: false,
      problem: expect.stringContaining(problem),
    });
  });

  test("is the same however much of it is escaped, and never holds what a server could resolve", () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9._~!$&'()*+,=:@-]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1 }),
        fc.infiniteStream(fc.boolean()),
        (parts, escape) => {
          const plain = `/${parts.join("/")}`;
          const choose = escape[Symbol.iterator]();
          const escaped = plain.replace(/[^/]/g, (character) =>
            choose.next().value === true ? `%${character.charCodeAt(0).toString(16)}` : character,
          );
          expect(readRequestPath(escaped)).toEqual(readRequestPath(plain));
        },
      ),
    );
  });

  test("that is read holds no dot or empty segment, backslash, escape or control character", () => {
    const odd = fc.constantFrom(
      "/",
      ".",
      "%2e",
      "%2f",
      "%25",
      "2f",
      "\\",
      ";",
      "a",
      "%5c",
      "%00",
      "%C3%A9",
      "?",
    );
    fc.assert(
      fc.property(fc.array(odd, { maxLength: 12 }), (parts) => {
        const reading = readRequestPath(`/${parts.join("")}`);
        if (!reading.ok) return;
        expect(reading.value).not.toMatch(/\/\.{1,2}(?:\/|$)|\/\/|\\|%[0-9a-f]{2}|;|[\0-\x1f]/i);
        expect(reading.value.startsWith("/")).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
