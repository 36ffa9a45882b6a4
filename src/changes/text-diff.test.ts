import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyHunks, countLines, findHunks } from "./text-diff.ts";

const text = fc
  .array(fc.constantFrom("a", "b", "", "c d", "\r", "-x", "+y", "\\ z", "é"), { maxLength: 40 })
  .chain((lines) => fc.constantFrom(lines.join("\n"), `${lines.join("\n")}\n`));

describe("hunks", () => {
  test("all of them make the one text from the other, none of them leave it", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const hunks = findHunks(before, after) ?? [];
        const all = new Set(hunks.keys());
        expect(applyHunks(before, hunks, all)).toBe(after);
        expect(applyHunks(before, hunks, new Set())).toBe(before);
      }),
    );
  });

  test("one of two changes its own place alone", () => {
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index}\n`);
    const before = lines.join("");
    const after = before.replace("line 2\n", "two\n").replace("line 30\n", "");
    const hunks = findHunks(before, after) ?? [];
    expect(hunks).toHaveLength(2);
    expect(applyHunks(before, hunks, new Set([1]))).toBe(before.replace("line 30\n", ""));
    expect(countLines(hunks)).toEqual({ added: 1, removed: 2 });
  });
});
