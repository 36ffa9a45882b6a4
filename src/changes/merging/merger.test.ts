import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OverlayYard } from "../../../test/support/overlay-yard.ts";
import { program } from "../../../test/support/requirement.ts";
import { readChanges, type ShownChange } from "../reading.ts";
import { recordBeginning } from "./beginning-record.ts";

const needs = program("git");
const NEVER = new AbortController().signal;
const TEXT = Array.from({ length: 20 }, (_, index) => `line ${index + 1}\n`).join("");
const with3 = (text: string): string => text.replace("line 3\n", "three\n");
const with18 = (text: string): string => text.replace("line 18\n", "eighteen\n");

describe.skipIf(!needs.met)(needs.title("a text that both sides changed"), () => {
  let yard: OverlayYard;
  beforeEach(() => void (yard = new OverlayYard()));
  afterEach(async () => yard.remove());

  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@b", ...args], {
      cwd: yard.workspace,
      encoding: "utf8",
    });

  /** A repository that holds `f`; from here on both sides change it. */
  async function begin({ commits = true, text = TEXT } = {}): Promise<void> {
    yard.host("f", text);
    git("init", "-q");
    if (commits) {
      git("add", "f");
      git("commit", "-qm", "f");
    }
    await yard.begin();
    await recordBeginning({ ...yard.source, signal: NEVER });
  }

  async function look(): Promise<readonly ShownChange[]> {
    return (await readChanges(yard.source, { hunks: true, paths: [] }, NEVER)).changes;
  }

  const fileTree = (): Record<string, string> => {
    rmSync(join(yard.workspace, ".git"), { recursive: true, force: true });
    return yard.tree();
  };

  test.each([
    ["committed", true],
    ["neither committed nor staged", false],
  ])("is merged when what they began from was %s", async (_, commits) => {
    await begin({ commits });
    yard.host("f", with18(TEXT));
    yard.wrote("f", with3(TEXT));
    yard.wrote("other", "x");
    const [shown] = await look();
    expect(shown).toMatchObject({ path: "f", merged: true, lines: { added: 1, removed: 1 } });
    expect(shown).not.toHaveProperty("conflict");
    expect(shown?.hunks?.flatMap(({ lines }) => lines)).toContain("+three");
    expect((await yard.apply()).applied).toEqual([
      { path: "f", kind: "modified", merged: "clean" },
      { path: "other", kind: "added" },
    ]);
    expect(fileTree()).toEqual({ f: `644 ${with3(with18(TEXT))}`, other: "644 x" });
    expect(await look()).toEqual([]);
  });

  test("is merged again and again, each time from what came out last", async () => {
    await begin();
    yard.wrote("f", with3(TEXT));
    await yard.apply();
    yard.host("f", with18(with3(TEXT)));
    yard.wrote("f", with3(TEXT).replace("line 9\n", "nine\n"));
    await yard.apply();
    const merged = with18(with3(TEXT)).replace("line 9\n", "nine\n");
    expect(readFileSync(join(yard.workspace, "f"), "utf8")).toBe(merged);
    yard.wrote("f", with3(TEXT).replace("line 9\n", "nine\n").replace("line 12\n", "12\n"));
    await yard.apply();
    expect(readFileSync(join(yard.workspace, "f"), "utf8")).toBe(
      merged.replace("line 12\n", "12\n"),
    );
    expect(await look()).toEqual([]);
  });

  test("is nothing to apply when the host has made all of the sandbox's changes and more", async () => {
    await begin();
    yard.host("f", with18(with3(TEXT)));
    yard.wrote("f", with3(TEXT));
    expect(await look()).toEqual([]);
  });

  test("comes out hunk by hunk, and what is left is still merged", async () => {
    await begin();
    yard.host("f", TEXT.replace("line 10\n", "ten\n"));
    yard.wrote("f", with18(with3(TEXT)));
    const [shown] = await look();
    const { fingerprint = "", hunks = [] } = shown ?? {};
    expect(hunks).toHaveLength(2);
    await yard.apply({ paths: ["f"], hunks: [{ path: "f", fingerprint, hunks: [0] }] });
    expect(readFileSync(join(yard.workspace, "f"), "utf8")).toBe(
      with3(TEXT).replace("line 10\n", "ten\n"),
    );
    expect((await look()).map(({ merged, lines }) => ({ merged, lines }))).toEqual([
      { merged: true, lines: { added: 1, removed: 1 } },
    ]);
    await yard.apply();
    expect(readFileSync(join(yard.workspace, "f"), "utf8")).toBe(
      with18(with3(TEXT)).replace("line 10\n", "ten\n"),
    );
  });

  test("keeps the permissions that one side gave it, and is in conflict when both did", async () => {
    await begin();
    yard.host("f", with18(TEXT), 0o755);
    yard.wrote("f", with3(TEXT));
    await yard.apply();
    expect(fileTree()).toEqual({ f: `755 ${with3(with18(TEXT))}` });
    chmodSync(join(yard.workspace, "f"), 0o700);
    yard.wrote("f", with3(TEXT), 0o600);
    await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
  });

  test("is still held by the airlock for what it is once merged", async () => {
    yard.host("package.json", '{\n  "name": "x",\n\n\n\n\n  "version": "1"\n}\n');
    await begin();
    yard.host("package.json", '{\n  "name": "y",\n\n\n\n\n  "version": "1"\n}\n');
    const script = '{\n  "name": "x",\n\n\n\n\n  "version": "1", "scripts": { "test": "x" }\n}\n';
    yard.wrote("package.json", script);
    const { held } = await yard.apply();
    expect(held.map(({ path }) => path)).toEqual(["package.json"]);
    expect(readFileSync(join(yard.workspace, "package.json"), "utf8")).toContain('"y"');
  });

  describe("in the same lines", () => {
    beforeEach(async () => {
      await begin();
      yard.host("f", with18(TEXT).replace("line 3\n", "the host's\n"));
      yard.wrote("f", TEXT.replace("line 3\n", "the agent's\n").replace("line 9\n", "nine\n"));
      yard.wrote("new", "x");
    });

    test("is a conflict, shown with both versions; nothing at all is applied", async () => {
      const [shown] = await look();
      expect(shown).toMatchObject({
        path: "f",
        conflict: "changed in the sandbox and on the host meanwhile",
        clashes: [{ line: 3, host: ["the host's"], base: ["line 3"], sandbox: ["the agent's"] }],
      });
      const before = yard.tree();
      await expect(yard.apply()).rejects.toMatchObject({
        code: "CHANGES_CONFLICT",
        details: { conflicts: [{ path: "f" }] },
      });
      expect(yard.tree()).toEqual(before);
      expect(yard.leftovers()).toEqual([]);
    });

    test("is settled with the sandbox's version", async () => {
      await yard.apply({ overwrite: ["f"] });
      const text = TEXT.replace("line 3\n", "the agent's\n").replace("line 9\n", "nine\n");
      expect(fileTree()).toEqual({ f: `644 ${text}`, new: "644 x" });
    });

    test("is settled with the host's version, and later changes are merged into that", async () => {
      const host = with18(TEXT).replace("line 3\n", "the host's\n");
      expect(await yard.apply({ keep: ["f"] })).toMatchObject({ kept: ["f"] });
      expect(yard.tree()).toMatchObject({ f: `644 ${host}`, new: "644 x" });
      expect(await look()).toEqual([]);
      const text = TEXT.replace("line 3\n", "the agent's\n").replace("line 9\n", "nine\n");
      yard.wrote("f", text.replace("line 14\n", "14\n"));
      await yard.apply();
      expect(yard.tree()).toMatchObject({ f: `644 ${host.replace("line 14\n", "14\n")}` });
    });

    test("comes with marks only when that is asked for by name, and is settled then", async () => {
      const { applied } = await yard.apply({ mark: ["f"] });
      expect(applied).toContainEqual({ path: "f", kind: "modified", merged: "marked" });
      const marked = with18(TEXT)
        .replace("line 9\n", "nine\n")
        .replace(
          "line 3\n",
          "<<<<<<< yours\nthe host's\n||||||| before\nline 3\n=======\nthe agent's\n>>>>>>> the sandbox's\n",
        );
      expect(yard.tree()).toMatchObject({ f: `644 ${marked}` });
      expect(await look()).toEqual([]);
      await expect(yard.apply({ mark: ["new"] })).rejects.toMatchObject({
        code: "CHANGE_NOT_FOUND",
      });
    });
  });

  test("with marks of its own cannot make them pass for those of a merge", async () => {
    const fake = "line 3\n=======\n>>>>>>> sandbox\n".repeat(2);
    await begin();
    yard.host("f", TEXT.replace("line 3\n", "host\n"));
    yard.wrote("f", TEXT.replace("line 3\n", fake));
    const [shown] = await look();
    expect(shown?.clashes).toEqual([
      { line: 3, host: ["host"], base: ["line 3"], sandbox: fake.trimEnd().split("\n") },
    ]);
  });

  describe("is a plain conflict", () => {
    const conflicts = async (): Promise<void> => {
      yard.host("f", with18(TEXT));
      yard.wrote("f", with3(TEXT));
      const [shown] = await look();
      expect(shown).toMatchObject({ conflict: "changed in the sandbox and on the host meanwhile" });
      expect(shown).not.toHaveProperty("clashes");
      await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    };

    test("in a workspace that is no git repository", async () => {
      yard.host("f", TEXT);
      await yard.begin();
      await recordBeginning({ ...yard.source, signal: NEVER });
      await conflicts();
    });

    test("when the host changed it before it was noted", async () => {
      yard.host("f", TEXT);
      git("init", "-q");
      await yard.begin();
      yard.host("f", TEXT.replace("line 7\n", "seven\n"));
      await recordBeginning({ ...yard.source, signal: NEVER });
      await conflicts();
    });

    test("when the object in the repository is not what its name says", async () => {
      await begin();
      const object = git("rev-parse", "HEAD:f").trim();
      const other = git("hash-object", "-w", join(yard.workspace, ".git/HEAD")).trim();
      const fileOf = (name: string): string =>
        join(yard.workspace, ".git/objects", name.slice(0, 2), name.slice(2));
      chmodSync(fileOf(object), 0o644);
      writeFileSync(fileOf(object), readFileSync(fileOf(other)));
      await conflicts();
    });

    test("when the notes are damaged", async () => {
      await begin();
      writeFileSync(join(yard.records, "begun.json"), '{"version":1');
      await conflicts();
    });

    test("when what was applied is not kept any more", async () => {
      await begin();
      yard.wrote("f", TEXT.replace("line 7\n", "seven\n"));
      await yard.apply();
      for (const name of readdirSync(join(yard.records, "texts"))) {
        writeFileSync(join(yard.records, "texts", name), "damaged");
      }
      yard.host("f", with18(TEXT));
      yard.wrote("f", with3(TEXT));
      await expect(yard.apply()).rejects.toMatchObject({ code: "CHANGES_CONFLICT" });
    });
  });

  test("is noted without reading what git ignores, links, pipes and what may not be read", async () => {
    yard.host(".gitignore", "ignored\n");
    yard.host("ignored", "x");
    yard.host("a\nname", "x");
    execFileSync("mkfifo", [join(yard.workspace, "pipe")]);
    execFileSync("ln", ["-s", "/etc/passwd", join(yard.workspace, "link")]);
    await begin();
    expect(Object.keys(yard.source.records.readBeginning()?.files ?? {})).toEqual([
      ".gitignore",
      "f",
    ]);
  });
});
