import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deniesRequest, findMismatch, readPathPattern } from "./http-scope.ts";

describe("a path pattern", () => {
  test.each([
    ["/a", "/a", true],
    ["/a", "/a/", false],
    ["/a", "/A", false],
    ["/a/*", "/a/b", true],
    ["/a/*", "/a/", false],
    ["/a/*", "/a/b/c", false],
    ["/a/**", "/a/b/c", true],
    ["/a/**", "/a/", true],
    ["/a/**", "/a", false],
    ["/a/**", "/ab/c", false],
    ["/**", "/", true],
    ["/*/b/**", "/x/b/c", true],
    ["/a*c/d", "/abc/d", true],
    ["/a*c", "/ac", true],
    ["/a*c", "/ab", false],
    ["/a*b*c", "/aXbYc", true],
    ["/ab*bc", "/abc", false],
    ["/*.json", "/x.json", true],
    ["/*.json", "/x/y.json", false],
    ["/%61", "/a", true],
  ])("%s and %s: %s", (text, path, expected) => {
    const pattern = readPathPattern(text);
    expect(pattern.ok).toBe(true);
    if (!pattern.ok) return;
    const mismatch = findMismatch({ paths: [pattern.value] }, { method: "GET", path });
    expect(mismatch === undefined).toBe(expected);
  });

  test("is matched in bounded time", () => {
    const pattern = `/${"a*".repeat(500)}b`;
    expect(
      findMismatch({ paths: [pattern] }, { method: "GET", path: `/${"a".repeat(30_000)}` }),
    ).toBe("path-not-allowed");
  });
});

describe("a rule that is for reading only", () => {
  const scope = { methods: ["GET", "HEAD"] };

  test.each([
    [{ method: "GET", path: "/" }, undefined],
    [{ method: "HEAD", path: "/?q" }, undefined],
    [{ method: "get", path: "/" }, "method-not-allowed"],
    [{ method: "POST", path: "/" }, "method-not-allowed"],
    [{ method: "GET", path: "/", hasBody: true }, "method-not-allowed"],
    [{ method: "GET", path: "/", methodOverrides: ["DELETE"] }, "method-not-allowed"],
    [{ method: "GET", path: "/", methodOverrides: ["head "] }, undefined],
    [{ method: "GET", path: "/?a=1&_METHOD=put" }, "method-not-allowed"],
    [{ method: "GET", path: "/?%5fmethod=put" }, "method-not-allowed"],
  ])("%j: %s", (request, expected) => {
    expect(findMismatch(scope, request)).toBe(expected);
  });
});

test("a deny takes every request that an allow of the same scope takes, and more spellings of it", () => {
  const part = fc.constantFrom("a", "B", "*", "b");
  const paths = fc
    .array(part, { minLength: 1, maxLength: 3 })
    .map((parts) => `/${parts.join("/")}`);
  const request = fc.record({ method: fc.constantFrom("GET", "POST"), path: paths });
  const scope = fc.record({
    methods: fc.constant(["GET"]),
    paths: fc.array(paths, { minLength: 1 }),
  });
  fc.assert(
    fc.property(scope, request, fc.constantFrom("", "/"), (written, asked, slash) => {
      if (findMismatch(written, asked) !== undefined) return;
      const spelled = { ...asked, path: asked.path.toUpperCase() + slash };
      expect(deniesRequest(written, asked)).toBe(true);
      expect(deniesRequest(written, spelled)).toBe(true);
    }),
  );
});
