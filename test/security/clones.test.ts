/**
 * Attack list, group E: 59 and 60 (git's configuration, worktrees, submodules) and 63 (names), in mode `clone`: hostile
 * repositories of the user's, and hostile work of an agent's. Nothing runs on the host, and nothing but our own refs and objects changes.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { NEVER, run } from "../../src/testing/conformance/sandbox-yard.ts";
import { readTree } from "../support/overlay-yard.ts";
import { allOf, program } from "../support/requirement.ts";
import { SandboxYard } from "../support/sandbox-yard.ts";
import { HOSTILE_CLONES, type HostileClone } from "./hostile-clones.ts";

const needs = allOf(program("crun"), program("unshare"), program("nsenter"), program("git"));
const AGENT = { name: "Ada", email: "ada@example.org" };

describe.skipIf(!needs.met)(needs.title("hostile clones"), () => {
  let yard: SandboxYard;
  let root: string;
  let elsewhere: string;
  const at = (name: string): string => join(root, "home", name);

  beforeAll(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "cg-hostile-")));
    const provider = createLocalProvider({
      stateDirectory: join(root, "state"),
      runtimeDirectory: join(root, "run"),
    });
    yard = await SandboxYard.open({ providers: [provider] }, root);
    elsewhere = at("elsewhere");
    mkdirSync(elsewhere);
    writeFileSync(join(root, "evil"), `#!/bin/sh\necho ran >>'${root}/canary'\n`);
    chmodSync(join(root, "evil"), 0o755);
  });
  afterAll(async () => {
    await yard.close();
    yard.remove();
  });

  function onHost(script: string, project: string, name = ""): string {
    const environment = {
      PATH: process.env["PATH"] ?? "",
      HOME: root,
      EVIL: join(root, "evil"),
      ELSEWHERE: elsewhere,
      NAME: name,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
      GIT_AUTHOR_NAME: AGENT.name,
      GIT_AUTHOR_EMAIL: AGENT.email,
      GIT_COMMITTER_NAME: AGENT.name,
      GIT_COMMITTER_EMAIL: AGENT.email,
    };
    return execFileSync("bash", ["-ec", script], {
      cwd: project,
      env: environment,
      encoding: "utf8",
    });
  }

  function prepare(name: string, script = "true"): string {
    const project = at(name);
    mkdirSync(project);
    writeFileSync(join(project, "a.txt"), "one\n");
    onHost("git init -q -b main; git add --all; git commit -qm first", project);
    onHost(script, project);
    return project;
  }

  interface Outcome {
    outcome: string;
    held: readonly string[];
  }

  /** Takes the case through its whole life; gives what the start or the fetch came to. */
  async function live(name: string, project: string, inside: string): Promise<Outcome> {
    const wish = { name, workspace: project, mode: "clone", gitIdentity: AGENT } as const;
    try {
      const id = await yard.make(wish);
      await yard.run(id);
      const environment = { ELSEWHERE: elsewhere };
      const sandbox = await yard.sandboxes.running(id);
      const { code, errors } = await run(sandbox, ["sh", "-c", inside], { environment });
      if (code !== 0) throw new TypeError(`${name}: ${errors}`);
      const { outcome, held } = await yard.sandboxes.fetch(id, [], NEVER);
      return { outcome, held: held.map(({ path }) => path) };
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === undefined) throw error;
      return { outcome: code, held: [] };
    }
  }

  async function hold(change: HostileClone, name: string): Promise<void> {
    const project = prepare(name, change.host);
    const borrows = /separate|linked\.git|lender/.test(change.host ?? "");
    const lookAround = (): unknown => ({
      // A git directory there has got our own objects and refs.
      files: borrows ? "left out" : readTree(elsewhere),
      tree: onHost("ls -lA --time-style=+%s", project),
    });
    rmCanary();
    const before = lookAround();
    const inside = change.inside ?? "echo b >b.txt; git add --all && git commit -qm work";
    const { outcome, held } = await live(name, project, inside);
    expect(change.outcome).toContain(outcome);
    expect(held).toEqual(expect.arrayContaining([...(change.held ?? [])]));
    expect(existsSync(join(root, "canary"))).toBe(false);
    expect(lookAround()).toEqual(before);
    const own = onHost("git for-each-ref --format='%(refname)' 'refs/**/cattlegrid/**'", project);
    for (const ref of own.trim().split("\n").filter(Boolean)) {
      expect(ref).toMatch(/^refs\/(?:heads\/cattlegrid|cattlegrid\/held)\/[a-z]+-\d+$/);
    }
    const branches = onHost(`git for-each-ref refs/heads/cattlegrid/${name}`, project);
    expect(branches !== "").toBe(outcome === "fetched");
    expect(onHost(change.after ?? "true", project, name)).toBe("");
  }

  const rmCanary = (): void => execFileSync("rm", ["-f", join(root, "canary")]) && undefined;
  const rows = (changes: readonly HostileClone[]): (HostileClone & { index: number })[] =>
    changes.map((change, index) => ({ ...change, index }));

  test.each(rows(HOSTILE_CLONES.REPOSITORIES))(
    "a repository of the user's with $title",
    async ({ index, ...change }) => hold(change, `host-${index}`),
  );

  test.each(rows(HOSTILE_CLONES.CLONES))(
    "a clone in which an agent made $title",
    async ({ index, ...change }) => hold(change, `agent-${index}`),
  );

  test("the twin: git without that care does run the program", () => {
    const project = prepare("twin", `git config core.fsmonitor "$EVIL"`);
    onHost("git status >/dev/null 2>&1 || true", project);
    expect(readFileSync(join(root, "canary"), "utf8")).toContain("ran");
  });
});
