import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeEveryChange, OverlayYard } from "../../test/support/overlay-yard.ts";

let yard: OverlayYard;
beforeEach(() => void (yard = new OverlayYard()));
afterEach(async () => yard.remove());

describe("applying everything", () => {
  test("makes the host's tree what the sandbox saw: new, changed, deleted, of another kind", async () => {
    const expected = await makeEveryChange(yard);
    const { applied, held } = await yard.apply();
    expect(yard.tree()).toEqual(expected);
    expect(held).toEqual([]);
    expect(applied).toContainEqual({ path: "gone/a/b", kind: "deleted" });
    expect(yard.leftovers()).toEqual([]);
    expect(readdirSync(yard.records)).toEqual(["applied.json", "texts"]);
  });

  test("a second time does nothing", async () => {
    const expected = await makeEveryChange(yard);
    await yard.apply();
    expect(await yard.apply()).toEqual({ applied: [], held: [] });
    expect(yard.tree()).toEqual(expected);
  });

  test("nothing when nothing was written, and leaves no record", async () => {
    expect(await yard.apply()).toEqual({ applied: [], held: [] });
    expect(existsSync(yard.records)).toBe(false);
  });

  test("never lets a set-user-id bit out, though it was approved", async () => {
    yard.wrote("tool", "x", 0o4755);
    expect((await yard.apply()).held.map(({ path }) => path)).toEqual(["tool"]);
    await yard.apply({ approve: ["tool"] });
    expect(yard.tree()).toEqual({ tool: "755 x" });
  });
});

describe("applying by path", () => {
  test("takes a directory with all below, and the new directories on the way", async () => {
    yard.wrote("a/b/c/one", "1");
    yard.wrote("a/b/two", "2");
    yard.wrote("a/three", "3");
    await yard.apply({ paths: ["a/b/c"] });
    expect(Object.keys(yard.tree())).toEqual(["a", "a/b", "a/b/c", "a/b/c/one"]);
  });

  test("says so when nothing has changed there", async () => {
    yard.wrote("a", "1");
    await expect(yard.apply({ paths: ["b"] })).rejects.toMatchObject({ code: "CHANGE_NOT_FOUND" });
    expect(yard.tree()).toEqual({});
  });
});

describe("what the host did meanwhile", () => {
  test("is not overwritten: nothing at all is applied, and each conflict is named", async () => {
    yard.host("a", "old");
    yard.host("b", "old");
    yard.host("c", "old");
    await yard.begin();
    yard.wrote("a", "sandbox");
    yard.deleted("b");
    yard.wrote("c", "sandbox");
    yard.host("a", "host");
    yard.host("b", "host");
    yard.host("new", "host");
    yard.wrote("new", "sandbox");
    await expect(yard.apply()).rejects.toMatchObject({
      code: "CHANGES_CONFLICT",
      details: { conflicts: [{ path: "a" }, { path: "b" }, { path: "new" }] },
    });
    expect(yard.tree()).toMatchObject({
      a: "644 host",
      b: "644 host",
      c: "644 old",
      new: "644 host",
    });
    await yard.apply({ paths: ["c"] });
    await yard.apply({ overwrite: ["a", "b", "new"] });
    expect(yard.tree()).toEqual({ a: "644 sandbox", c: "644 sandbox", new: "644 sandbox" });
  });

  test("is no conflict when both came to the same", async () => {
    yard.host("a", "old");
    await yard.begin();
    yard.wrote("a", "same");
    yard.host("a", "same");
    expect(await yard.apply()).toEqual({ applied: [], held: [] });
  });

  test("is a conflict when it deleted what the sandbox changed", async () => {
    yard.wrote("a", "changed copy");
    yard.mark("a", "origin", "");
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
  });

  test("counts from what was applied last, on either side", async () => {
    yard.host("a", "old");
    await yard.begin();
    yard.wrote("a", "one");
    await yard.apply();
    yard.wrote("a", "two");
    await yard.apply();
    expect(yard.tree()).toEqual({ a: "644 two" });
    yard.host("a", "host");
    expect(await yard.apply()).toEqual({ applied: [], held: [] });
    yard.wrote("a", "three");
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    expect(yard.tree()).toEqual({ a: "644 host" });
  });

  test("even between the look and the change is found, and everything taken back", async () => {
    yard.host("a", "old");
    yard.host("z", "old");
    yard.host("d/x", "x");
    await yard.begin();
    yard.wrote("a", "sandbox");
    yard.wrote("n/new", "sandbox");
    yard.wrote("z", "sandbox");
    yard.deleted("d");
    const meddle = (point: string): void => {
      if (point === "step 4") yard.host("z", "host, just now");
    };
    await expect(yard.apply({}, meddle)).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    expect(yard.tree()).toEqual({
      a: "644 old",
      d: "directory 755",
      "d/x": "644 x",
      z: "644 host, just now",
    });
    expect(yard.leftovers()).toEqual([]);
    await yard.apply({ paths: ["a", "d"] });
    expect(yard.tree()).toEqual({ a: "644 sandbox", z: "644 host, just now" });
  });

  test("as a link in a directory's place leads nothing out of the workspace", async () => {
    const outside = join(yard.directory, "outside");
    mkdirSync(outside);
    yard.host("d/file", "old");
    await yard.begin();
    yard.wrote("d/file", "sandbox");
    yard.wrote("d/new", "sandbox");
    const swap = (point: string): void => {
      if (point !== "step 0") return;
      renameSync(join(yard.workspace, "d"), join(yard.workspace, "moved"));
      symlinkSync(outside, join(yard.workspace, "d"));
    };
    await expect(yard.apply({}, swap)).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    expect(readdirSync(outside)).toEqual([]);
    expect(yard.tree()).toMatchObject({ "moved/file": "644 old" });
  });
});

describe("what is held", () => {
  test("stays in the sandbox, is explained, and comes out when approved by name", async () => {
    yard.wrote(".git/hooks/pre-commit", "#!/bin/sh\n", 0o755);
    yard.wrote("src/x.c", "int x;\n");
    const { applied, held } = await yard.apply();
    expect(applied.map(({ path }) => path)).toEqual([".git", ".git/hooks", "src", "src/x.c"]);
    expect(held).toEqual([
      { path: ".git/hooks/pre-commit", holds: [{ class: "git", reason: "git runs it" }] },
    ]);
    await yard.apply({ approve: [".git/hooks/pre-commit"] });
    expect(yard.tree()[".git/hooks/pre-commit"]).toBe("755 #!/bin/sh\n");
  });

  test("keeps the directory that holds its deletion, and what would come in its place", async () => {
    yard.host("t/.vscode/tasks.json", "{}");
    yard.host("t/x", "x");
    await yard.begin();
    yard.wrote("t", "a file now");
    const { held } = await yard.apply();
    expect(held.map(({ path }) => path)).toEqual(["t/.vscode/tasks.json", "t"]);
    expect(yard.tree()).toMatchObject({ "t/.vscode/tasks.json": "644 {}" });
  });

  test("is never what is no file, link or directory, though approved", async () => {
    spawnSync("mkfifo", [join(yard.upper, "pipe")]);
    const { held } = await yard.apply({ approve: ["pipe"] });
    expect(held.map(({ path }) => path)).toEqual(["pipe"]);
    expect(yard.tree()).toEqual({});
  });
});

describe("hunks", () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}\n`).join("");

  test("come out one by one, and the rest stays a change", async () => {
    yard.host("f", lines);
    await yard.begin();
    const after = lines.replace("line 3\n", "three\n").replace("line 25\n", "");
    yard.wrote("f", after);
    const { changes } = await import("./reading.ts").then(({ readChanges }) =>
      readChanges(yard.source, { hunks: true, paths: [] }, new AbortController().signal),
    );
    const [change] = changes;
    expect(change?.hunks).toHaveLength(2);
    const fingerprint = change?.fingerprint ?? "";
    await yard.apply({ paths: ["f"], hunks: [{ path: "f", fingerprint, hunks: [1] }] });
    expect(yard.tree()).toEqual({ f: `644 ${lines.replace("line 25\n", "")}` });
    await expect(
      yard.apply({ paths: ["f"], hunks: [{ path: "f", fingerprint, hunks: [0] }] }),
    ).rejects.toMatchObject({ code: "CHANGE_STALE" });
    await yard.apply();
    expect(yard.tree()).toEqual({ f: `644 ${after}` });
  });
});
