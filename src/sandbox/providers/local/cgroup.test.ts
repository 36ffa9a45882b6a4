import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requirement } from "../../../../test/support/requirement.ts";
import { findCgroupPlace, makeCgroup, removeCgroups } from "./cgroup.ts";

const place = findCgroupPlace(`/nowhere/${process.pid}`);
const WRITABLE = requirement("a writable cgroup", () =>
  place === undefined ? "none is writable by this account" : undefined,
);

describe.skipIf(!WRITABLE.met)(WRITABLE.title("the cgroups of an installation"), () => {
  const directories = Object.values(place?.directories ?? {});
  const present = (): string[] => directories.filter((directory) => existsSync(directory));

  test("do not exist for having been looked for", () => {
    expect(directories.length).toBeGreaterThan(0);
    expect(present()).toEqual([]);
  });

  test("come with the first sandbox and go with the last", () => {
    const first = makeCgroup(place!, "first", { pids: 100 });
    const second = makeCgroup(place!, "second", { memoryBytes: 2 ** 26, cpus: 0.5, pids: 100 });
    first.remove();
    for (const directory of directories) {
      expect(existsSync(join(directory, "second"))).toBe(true);
      expect(existsSync(join(directory, "first"))).toBe(false);
    }
    second.remove();
    expect(present()).toEqual([]);
  });

  test("that a crash left are removed, but for those that are kept", () => {
    const kept = makeCgroup(place!, "kept", { pids: 100 });
    makeCgroup(place!, "left", { pids: 100 });
    removeCgroups(place!, new Set(["kept"]));
    for (const directory of directories) {
      expect(readdirSync(directory)).toContain("kept");
      expect(readdirSync(directory)).not.toContain("left");
    }
    kept.remove();
    removeCgroups(place!, new Set());
    expect(present()).toEqual([]);
  });
});
