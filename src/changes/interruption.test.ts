import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeEveryChange, OverlayYard } from "../../test/support/overlay-yard.ts";
import { root } from "../../test/support/requirement.ts";

let yard: OverlayYard;
beforeEach(() => void (yard = new OverlayYard()));
afterEach(async () => yard.remove());

describe("an application killed at any point", () => {
  function run(dieAt: string): { points: string[]; signal: NodeJS.Signals | null } {
    const program = join(import.meta.dirname, "../../test/support/applying-program.ts");
    const args = [program, yard.workspace, yard.upper, yard.records, dieAt];
    const environment = { ...process.env, BEGUN_AT_NS: String(yard.begunAtNs) };
    const { stdout, signal } = spawnSync(process.execPath, args, { env: environment });
    const text = stdout.toString();
    return { points: text === "" ? [] : (JSON.parse(text) as string[]), signal };
  }

  const isChosen = (point: string): boolean => Number(point.slice(5)) % 3 === 0;

  test("and applied again, it makes the same tree, and leaves nothing beside it", async () => {
    const expected = await makeEveryChange(yard);
    const { points } = run("");
    expect(yard.tree()).toEqual(expected);
    expect(points.length).toBeGreaterThan(15);
    // Every point that has a name, and of the steps every third: the first and the last of each kind are among them.
    const chosen = points.filter((point) => !point.startsWith("step") || isChosen(point));
    for (const point of chosen) {
      await yard.remove();
      yard = new OverlayYard();
      await makeEveryChange(yard);
      expect([point, run(point).signal]).toEqual([point, "SIGKILL"]);
      await yard.apply();
      expect([point, yard.tree()]).toEqual([point, expected]);
      expect([point, yard.leftovers()]).toEqual([point, []]);
      expect([point, readdirSync(yard.records)]).toEqual([point, ["applied.json", "texts"]]);
    }
  }, 120_000);

  test("is taken back when the host has changed a file before it is applied again", async () => {
    yard.host("a", "old");
    yard.host("b", "old");
    await yard.begin();
    yard.wrote("a", "sandbox");
    yard.wrote("b", "sandbox");
    run("step 1");
    expect(yard.tree()).toEqual({ a: "644 sandbox", b: "644 old" });
    yard.host("b", "host");
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    expect(yard.tree()).toEqual({ a: "644 old", b: "644 host" });
    expect(yard.leftovers()).toEqual([]);
    // What was only put away and back is no change of the host's.
    await expect(yard.apply()).rejects.toMatchObject({
      details: { conflicts: [{ path: "b" }] },
    });
    await yard.apply({ paths: ["a"] });
    expect(yard.tree()).toEqual({ a: "644 sandbox", b: "644 host" });
  });

  test("keeps what the host has since written into a file that had come, when it is taken back", async () => {
    for (const name of ["a", "b"]) yard.host(name, "old");
    await yard.begin();
    for (const name of ["a", "b", "new"]) yard.wrote(name, "sandbox");
    run("step 2");
    expect(yard.tree()).toEqual({ a: "644 sandbox", b: "644 sandbox" });
    appendFileSync(join(yard.workspace, "a"), ", and the host");
    yard.host("new", "host");
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    expect(yard.tree()).toEqual({ a: "644 sandbox, and the host", b: "644 old", new: "644 host" });
    expect(yard.leftovers()).toEqual([]);
  });
});

describe("damaged records", () => {
  test("a journal that cannot be read stops everything, and nothing is touched", async () => {
    yard.wrote("a", "x");
    mkdirSync(yard.records);
    writeFileSync(join(yard.records, "journal.json"), '{"phase":');
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_JOURNAL_CORRUPT" });
    writeFileSync(join(yard.records, "journal.json"), '{"phase":"committing","version":1}');
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_JOURNAL_CORRUPT" });
    expect(yard.tree()).toEqual({});
  });

  test("a record of what was applied that cannot be read costs conflicts, never the host's files", async () => {
    yard.host("a", "old");
    await yard.begin();
    yard.wrote("a", "one");
    await yard.apply();
    writeFileSync(join(yard.records, "applied.json"), "{");
    yard.wrote("a", "two");
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    expect(yard.tree()).toEqual({ a: "644 one" });
  });
});

const asRoot = root();

describe.skipIf(!asRoot.met)(asRoot.title("a disk that is full during an application"), () => {
  test("is told, leaves the host as it was, and gets the changes once there is room", async () => {
    const parent = dirname(yard.workspace);
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", parent]);
    try {
      mkdirSync(yard.workspace);
      yard.host("a", "old");
      await yard.begin();
      yard.wrote("a", "new");
      yard.wrote("large", "x".repeat(2 ** 21));
      await expect(yard.apply()).rejects.toMatchObject({ code: "DISK_FULL" });
      expect(yard.tree()).toEqual({ a: "644 old" });
      expect(yard.leftovers()).toEqual([]);
      spawnSync("mount", ["-o", "remount,size=8m", parent]);
      await yard.apply();
      expect(yard.tree()["a"]).toBe("644 new");
    } finally {
      spawnSync("umount", [parent]);
    }
  });
});
