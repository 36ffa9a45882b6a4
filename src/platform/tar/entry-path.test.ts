import { describe, expect, test } from "vitest";
import { splitEntryName, staysInside } from "./entry-path.ts";

describe("the name of an entry", () => {
  test.each([
    ["./a/b", ["a", "b"]],
    ["a//b/", ["a", "b"]],
    [".", []],
    ["a/..b", ["a", "..b"]],
    ["a\nb", ["a\nb"]],
  ])("%j leads to %j", (name, names) => expect(splitEntryName(name)).toEqual(names));

  test.each([
    "/etc/passwd",
    "../a",
    "a/../../b",
    "a/..",
    "a\0b",
    "x".repeat(300),
    "d/".repeat(300),
    "long/".repeat(900),
  ])("%j is refused", (name) => {
    expect(() => splitEntryName(name)).toThrow(expect.objectContaining({ code: "COPY_REFUSED" }));
  });
});

describe("a link", () => {
  test.each([
    [["l"], "a"],
    [["d", "l"], "../a"],
    [["d", "e", "l"], "../../a/b"],
    [["d", "l"], ".."],
    [["l"], "./a"],
  ])("at %j to %j stays inside", (names, target) => {
    expect(staysInside(names, target)).toBe(true);
  });

  test.each([
    [["l"], "/etc/passwd"],
    [["l"], ".."],
    [["d", "l"], "../../a"],
    // `a` may be a link that leads to the root of the copy.
    [["l"], "a/.."],
    [["l"], ""],
  ])("at %j to %j does not", (names, target) => expect(staysInside(names, target)).toBe(false));
});
