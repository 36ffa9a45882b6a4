import fc from "fast-check";
import { expect, test } from "vitest";
import { workspaceIdMap } from "./owner-map.ts";

const FIRST = 231_072;

function mapped(lines: string, onDisk: number): number | undefined {
  for (const line of lines.trim().split("\n")) {
    const [from = 0, to = 0, count = 0] = line.split(" ").map(Number);
    if (onDisk >= from && onDisk < from + count) return to + onDisk - from;
  }
  return undefined;
}

test("root's files are the agent's, and the agent's number stands for root", () => {
  const map = workspaceIdMap(0, FIRST);
  expect(mapped(map, 0)).toBe(FIRST + 1000);
  expect(mapped(map, 1000)).toBe(FIRST);
  expect(mapped(map, 33)).toBe(FIRST + 33);
});

test("an owner beyond the range is the agent, and others keep their numbers", () => {
  const map = workspaceIdMap(1_234_567, FIRST);
  expect(mapped(map, 1_234_567)).toBe(FIRST + 1000);
  expect(mapped(map, 0)).toBe(FIRST);
  expect(mapped(map, 1000)).toBeUndefined();
});

test("no two ids become one, the owner is always the agent, and nothing becomes host root", () => {
  const anyId = fc.nat({ max: 70_000 });
  fc.assert(
    fc.property(anyId, fc.uniqueArray(anyId, { minLength: 2, maxLength: 20 }), (owner, ids) => {
      const map = workspaceIdMap(owner, FIRST);
      const results = ids.map((id) => mapped(map, id)).filter((id) => id !== undefined);
      return (
        new Set(results).size === results.length &&
        mapped(map, owner) === FIRST + 1000 &&
        results.every((id) => id >= FIRST && id < FIRST + 65_536) &&
        map.trim().split("\n").length <= 5
      );
    }),
  );
});
