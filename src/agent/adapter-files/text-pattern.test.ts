import fc from "fast-check";
import { expect, test } from "vitest";
import { findInLines, isPattern, readPattern } from "./text-pattern.ts";

test.each([
  ["Signed in as {account}", true],
  ["{account}", true],
  ["Signed in", false],
  ["{account} and {account}", false],
  ["{account} and {other}", false],
  ["a\n{account}", false],
])("%j is a text with its hole: %s", (text, expected) => {
  expect(isPattern(text, "account")).toBe(expected);
});

test.each([
  ["as {account}", "Signed in as ada", "ada"],
  ["as {account}.", "x\r\nSigned in as ada b.\r\n", "ada b"],
  ["as {account}.", "Signed in as ada", undefined],
  ["as {account}", "Signed in as   ", undefined],
  ["{account}", "\n\n ada \n", "ada"],
])("%j in %j is %j", (pattern, text, expected) => {
  expect(findInLines(text, readPattern(pattern, "account"))).toBe(expected);
});

test("what a line was made with is found in it", () => {
  const word = fc.stringMatching(/^[a-z]{1,8}$/);
  fc.assert(
    fc.property(word, word, word, (before, value, after) => {
      const found = findInLines(`<${before}:${value};${after}>`, {
        before: `${before}:`,
        after: `;${after}`,
      });
      expect(found).toBe(value);
    }),
  );
});
