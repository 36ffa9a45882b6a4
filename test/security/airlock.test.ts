import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyChanges } from "../../src/changes/apply.ts";
import type { Applied } from "../../src/changes/application.ts";
import type { ChangeSource } from "../../src/changes/change-source.ts";
import { OverlayTree } from "../../src/changes/changed-tree.ts";
import { ChangeRecords } from "../../src/changes/journal.ts";
import { readChanges } from "../../src/changes/reading.ts";
import { runProcess } from "../../src/platform/process.ts";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { NEVER, SandboxYard, run } from "../../src/testing/conformance/sandbox-yard.ts";
import { EVERYTHING, readTree } from "../support/overlay-yard.ts";
import { allOf, program } from "../support/requirement.ts";
import { DEFAULT_BEFORE, HOSTILE_CHANGES } from "./hostile-changes.ts";

/**
 * Attack list, group E: 55 (links and swaps), 58 and 61 (files that the host executes or obeys), 59 and 60 (git's configuration,
 * worktrees, submodules), 63 (names, set-user-id, devices). Zero executions and zero writes outside.
 */
const needs = allOf(program("crun"), program("unshare"), program("nsenter"), program("git"));

/** What a person and their tools do in a repository without thinking. */
const EVERYDAY = "git status; git diff; git add -A; git commit -qm everyday; git log -p -1";
const WITH_GIT_ATTACKED = `${EVERYDAY}; echo two >>f; git stash; git stash pop; git commit -qam two
  git checkout -b side; git checkout main; git merge side; git push . HEAD:refs/heads/pushed
  git submodule status; git gc --auto; git st; git worktree list; true`;

describe.skipIf(!needs.met)(needs.title("hostile changes"), () => {
  let yard: SandboxYard;
  let workspace = "";
  let outside = "";
  let marks = "";
  let applied: Applied;
  let outsideBefore: Record<string, string> = {};

  const directoryOf = (index: number): string => `case-${index}`;

  async function onHost(script: string, directory: string): Promise<string> {
    const environment = {
      PATH: process.env["PATH"] ?? "",
      HOME: join(yard.directory, "home"),
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@b",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@b",
      GIT_EDITOR: "true",
      GIT_PAGER: "cat",
    };
    const argv = ["bash", "-c", script];
    const { stdout, stderr } = await runProcess(argv, { cwd: directory, environment });
    return stdout + stderr;
  }

  async function open(path: string): Promise<{ sandbox: RunningSandbox; source: ChangeSource }> {
    const specification = yard.specify({ workspace: { path, mode: "overlay" } });
    await yard.provider.create(specification, NEVER);
    const sandbox = await yard.startAgain(specification);
    const found = await yard.provider.overlays?.find(specification.id);
    if (found === undefined) throw new TypeError("no overlay");
    const records = new ChangeRecords(join(yard.directory, "records", specification.id));
    const { upper, begunAtNs } = found;
    const openChanged = (): OverlayTree => new OverlayTree(upper);
    const parts = { workspace: path, openChanged, begunAtNs, records };
    return { sandbox, source: { ...parts, onCorrupt: () => undefined } };
  }

  beforeAll(async () => {
    yard = new SandboxYard(createLocalProvider);
    workspace = yard.makeDirectory("work/project");
    outside = yard.makeDirectory("work/outside");
    marks = yard.makeDirectory("marks");
    chmodSync(marks, 0o777);
    yard.makeDirectory("home");
    writeFileSync(join(outside, "kept"), "kept");
    for (const [index, { before = DEFAULT_BEFORE }] of HOSTILE_CHANGES.entries()) {
      const directory = join(workspace, directoryOf(index));
      mkdirSync(directory);
      await onHost(before, directory);
    }
    outsideBefore = readTree(join(yard.directory, "work/outside"));
    const { sandbox, source } = await open(workspace);
    for (const [index, { inside }] of HOSTILE_CHANGES.entries()) {
      const environment = { CANARY: `touch ${marks}/${index}`, OUTSIDE: outside };
      const cwd = join(workspace, directoryOf(index));
      const { code, errors } = await run(sandbox, ["sh", "-c", inside], { cwd, environment });
      if (code !== 0) throw new TypeError(`${directoryOf(index)}: ${errors}`);
    }
    applied = await applyChanges(source, EVERYTHING, { signal: NEVER });
  }, 120_000);
  afterAll(async () => yard.close());

  test("are at least forty", () => {
    expect(HOSTILE_CHANGES.length).toBeGreaterThanOrEqual(40);
  });

  test.each(HOSTILE_CHANGES.map((change, index) => ({ ...change, index })))(
    "$title: held, and nothing runs when the host works there",
    async ({ index, held, after = "true" }) => {
      const directory = directoryOf(index);
      const names = applied.held.map(({ path }) => path);
      for (const path of held) expect(names).toContain(`${directory}/${path}`);
      const out = applied.applied.map(({ path }) => path);
      for (const path of held) expect(out).not.toContain(`${directory}/${path}`);
      const attacksGit = held.some((path) => /git|config|evil|elsewhere|docs/i.test(path));
      await onHost(attacksGit ? WITH_GIT_ATTACKED : EVERYDAY, join(workspace, directory));
      await onHost(after, join(workspace, directory));
      expect(readdirSync(marks)).toEqual([]);
    },
  );

  test("write nothing outside the workspace, and leave nothing beside it", () => {
    expect(readTree(outside)).toEqual(outsideBefore);
    expect(readdirSync(join(yard.directory, "work")).sort()).toEqual(["outside", "project"]);
  });

  test("would have run: the same hook, made by the host itself, does", async () => {
    const directory = yard.makeDirectory("control");
    await onHost(DEFAULT_BEFORE, directory);
    const hook = join(directory, ".git/hooks/pre-commit");
    writeFileSync(hook, `#!/bin/sh\ntouch ${marks}/control\n`, { mode: 0o755 });
    await onHost("echo two >>f; git commit -qam two", directory);
    expect(readdirSync(marks)).toEqual(["control"]);
  });

  test("swapping a directory for a link while changes are read and applied gets nothing out", async () => {
    const path = yard.makeDirectory("swapped");
    const { sandbox, source } = await open(path);
    writeFileSync(join(outside, "secret"), "the host's own secret");
    const flip = `mkdir flip real; echo mine >flip/secret
      while [ ! -e stop ]; do mv flip real/d; ln -s ${outside} flip; rm flip; mv real/d flip; done`;
    const flipping = run(sandbox, ["sh", "-c", flip]);
    for (let round = 0; round < 40; round += 1) {
      const shown = await readChanges(source, { hunks: true, paths: [] }, NEVER);
      expect(JSON.stringify(shown)).not.toContain("the host's own secret");
      const refusal = await applyChanges(source, EVERYTHING, { signal: NEVER }).then(
        () => undefined,
        (error: unknown) => (error as { code?: string }).code,
      );
      expect([undefined, "CHANGE_STALE", "CHANGES_CONFLICT"]).toContain(refusal);
      expect(JSON.stringify(readTree(path))).not.toContain("the host's own secret");
    }
    await run(sandbox, ["touch", "stop"]);
    await flipping;
    expect(readTree(outside)).toEqual({ ...outsideBefore, secret: "644 the host's own secret" });
  });
});
