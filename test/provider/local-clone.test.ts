/**
 * Mode `clone` from creation to the branch in the user's repository, against git repositories as they are and as somebody
 * hostile would make them. E59, E60, E61 and E63 of the attack list, for this mode.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fetched } from "../../src/protocol/fetch.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program } from "../support/requirement.ts";
import { OWNER, SandboxYard } from "../support/sandbox-yard.ts";

const NEEDED = allOf(program("crun"), program("unshare"), program("nsenter"), program("git"));

const AGENT = { name: "Ada", email: "ada@example.org" };

describe.skipIf(!NEEDED.met)(NEEDED.title("a workspace in mode clone"), () => {
  let yard: SandboxYard;
  let root: string;
  let project: string;
  let canary: string;

  beforeEach(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "cg-clone-")));
    const provider = createLocalProvider({
      stateDirectory: join(root, "state"),
      runtimeDirectory: join(root, "run"),
    });
    yard = await SandboxYard.open({ providers: [provider] }, root);
    project = yard.workspace;
    canary = join(root, "canary");
    git(project, "init", "-q", "-b", "main");
    write("a.txt", "one\n");
    write(".gitignore", ".env\n");
    git(project, "add", "--all");
    git(project, "commit", "-qm", "first");
    write(".env", "TOKEN=secret\n");
  });
  afterEach(async () => {
    const executed = existsSync(canary) ? readFileSync(canary, "utf8") : "";
    await yard.close();
    yard.remove();
    if (executed !== "") throw new TypeError(`the host executed: ${executed}`);
  });

  function git(directory: string, ...args: readonly string[]): string {
    const identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    return execFileSync("git", [...identity, ...args], { cwd: directory, encoding: "utf8" }).trim();
  }

  function write(name: string, text: string): void {
    mkdirSync(join(project, name, ".."), { recursive: true });
    writeFileSync(join(project, name), text);
  }

  /** What somebody hostile wants the host to run: it leaves a line that every test looks for at its end. */
  function evil(name = "evil"): string {
    const path = join(root, name);
    writeFileSync(path, `#!/bin/sh\necho ${name} >>'${canary}'\n`);
    chmodSync(path, 0o755);
    return path;
  }

  const begin = async (name: string, workspace = project): Promise<string> => {
    const id = await yard.make({ name, workspace, mode: "clone", gitIdentity: AGENT });
    await yard.run(id);
    return id;
  };
  const inside = async (id: string, script: string): Promise<string> =>
    answer(await yard.sandboxes.running(id), script);
  const fetch = (id: string, approve: readonly string[] = []): Promise<Fetched> =>
    yard.sandboxes.fetch(id, approve, NEVER);
  const refused = async (action: Promise<unknown>): Promise<unknown> =>
    action.then(
      () => "done",
      (error: unknown) => (error as { code: string }).code,
    );
  const COMMIT = "git add --all && git commit -qm work";

  test("is a repository of its own, on a branch, without what git ignores or the user did not commit", async () => {
    write("a.txt", "changed and not committed\n");
    const before = [git(project, "status", "--porcelain", "--ignored"), readdirSync(project)];
    const id = await begin("one");
    expect(await inside(id, "pwd; cat a.txt; git branch --show-current; git status -s")).toBe(
      `${project}\none\ncattlegrid/one`,
    );
    expect((await sh(await yard.sandboxes.running(id), "cat .env")).code).not.toBe(0);
    await inside(id, "echo two >b.txt; git config core.editor evil; git branch new");
    expect([git(project, "status", "--porcelain", "--ignored"), readdirSync(project)]).toEqual(
      before,
    );
    expect(git(project, "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });

  test("comes back as a branch: commits, what lay uncommitted, and again what came later", async () => {
    const id = await begin("two");
    await inside(id, `echo b >b.txt; ${COMMIT}; echo c >c.txt; rm a.txt`);
    expect(await fetch(id)).toMatchObject({
      outcome: "fetched",
      branch: "cattlegrid/two",
      hasUncommitted: true,
      changes: 3,
      held: [],
    });
    expect(git(project, "ls-tree", "--name-only", "cattlegrid/two")).toBe(
      ".gitignore\nb.txt\nc.txt",
    );
    expect(git(project, "log", "--format=%s", "-2", "cattlegrid/two~1")).toBe("work\nfirst");
    expect(git(project, "status", "--porcelain")).toBe("");
    expect((await fetch(id)).outcome).toBe("unchanged");
    await inside(id, `${COMMIT}; echo d >d.txt; ${COMMIT}`);
    await yard.sandboxes.stop(id);
    expect(git(project, "show", "cattlegrid/two:d.txt")).toBe("d");
    expect((await fetch(id)).outcome).toBe("unchanged");
    git(project, "fsck", "--strict", "--no-dangling");
    await yard.sandboxes.remove(id);
    expect(readdirSync(join(root, "state/clones"))).toEqual([]);
  });

  test("holds back what the host could run until each path is approved by name", async () => {
    const id = await begin("three");
    await inside(
      id,
      `mkdir -p .github/workflows .vscode; echo on: push >.github/workflows/ci.yml; echo {} >.vscode/tasks.json; ln -s /etc/passwd out; ${COMMIT}`,
    );
    const held = await fetch(id);
    expect(held.outcome).toBe("held");
    expect(held.held.map(({ path }) => path)).toEqual([
      ".github/workflows/ci.yml",
      ".vscode/tasks.json",
      "out",
    ]);
    expect(git(project, "branch", "--list", "cattlegrid/*")).toBe("");
    expect(git(project, "rev-parse", held.heldRef ?? "")).toBe(held.commit);
    expect(await refused(fetch(id, ["nothing/like/it"]))).toBe("REQUEST_INVALID");
    const half = await fetch(id, [".vscode/tasks.json", "out"]);
    expect(half.held.map(({ path }) => path)).toEqual([".github/workflows/ci.yml"]);
    expect((await fetch(id, [".github/workflows/ci.yml"])).outcome).toBe("fetched");
    expect(git(project, "for-each-ref", "refs/cattlegrid")).toBe("");
    await inside(id, `echo '{"tasks":[1]}' >.vscode/tasks.json; ${COMMIT}`);
    expect((await fetch(id)).held.map(({ path }) => path)).toEqual([".vscode/tasks.json"]);
  });

  test("of work that is held back loses nothing when the sandbox is removed", async () => {
    const id = await begin("four");
    await inside(id, `echo x >.envrc; ${COMMIT}`);
    await yard.sandboxes.remove(id);
    expect(git(project, "show", "refs/cattlegrid/held/four:.envrc")).toBe("x");
    expect(git(project, "branch", "--list", "cattlegrid/*")).toBe("");
  });

  test("works from a linked worktree, and its branch is the repository's", async () => {
    const linked = join(root, "home/linked");
    git(project, "worktree", "add", "-q", "-b", "side", linked);
    const id = await begin("five", linked);
    expect(await inside(id, "cat a.txt; test -d .git && echo own")).toBe("one\nown");
    await inside(id, `echo b >b.txt; ${COMMIT}`);
    expect((await fetch(id)).outcome).toBe("fetched");
    expect(git(project, "show", "cattlegrid/five:b.txt")).toBe("b");
  });

  test("is refused for what cannot be cloned, and for a branch that others have", async () => {
    const at = (name: string): string => join(root, "home", name);
    for (const name of ["plain", "empty", "bare"]) mkdirSync(at(name));
    git(at("empty"), "init", "-q");
    git(at("bare"), "init", "-q", "--bare");
    mkdirSync(join(project, "below"));
    const wanted = [at("plain"), at("empty"), at("bare"), join(project, "below")];
    for (const workspace of wanted) {
      expect(await refused(yard.make({ name: "x1", workspace, mode: "clone" }))).toBe(
        "WORKSPACE_NOT_CLONABLE",
      );
    }
    git(project, "branch", "cattlegrid/taken");
    expect(await refused(yard.make({ name: "taken", mode: "clone" }))).toBe("CLONE_BRANCH_CHANGED");
    expect(await yard.sandboxes.list(OWNER)).toEqual([]);
  });

  test("leaves the branch alone once the user has moved it or checked it out", async () => {
    const id = await begin("six");
    await inside(id, `echo b >b.txt; ${COMMIT}`);
    await fetch(id);
    git(project, "checkout", "-q", "cattlegrid/six");
    await inside(id, `echo c >c.txt; ${COMMIT}`);
    expect(await refused(fetch(id))).toBe("CLONE_BRANCH_CHANGED");
    git(project, "commit", "-q", "--allow-empty", "-m", "mine");
    git(project, "checkout", "-q", "main");
    expect(await refused(fetch(id))).toBe("CLONE_BRANCH_CHANGED");
    expect(await refused(yard.sandboxes.remove(id))).toBe("CLONE_BRANCH_CHANGED");
    expect(git(project, "log", "-1", "--format=%s", "cattlegrid/six")).toBe("mine");
    git(project, "branch", "-D", "-q", "cattlegrid/six");
    expect((await fetch(id)).outcome).toBe("fetched");
  });

  test("executes nothing that the user's repository names, hostile as it may be", async () => {
    const program = evil();
    write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    git(project, "add", "--all");
    git(project, "commit", "-qm", "attributes");
    for (const hook of [
      "reference-transaction",
      "post-checkout",
      "post-index-change",
      "pre-commit",
    ]) {
      writeFileSync(join(project, ".git/hooks", hook), readFileSync(program));
      chmodSync(join(project, ".git/hooks", hook), 0o755);
    }
    writeFileSync(
      join(root, "included"),
      `[core]\n\tpager = ${program}\n\talternateRefsCommand = ${program}\n`,
    );
    const settings: Record<string, string> = {
      "core.fsmonitor": program,
      "core.sshCommand": program,
      "core.editor": program,
      "core.alternateRefsCommand": program,
      "filter.evil.clean": program,
      "filter.evil.smudge": program,
      "filter.evil.process": program,
      "filter.evil.required": "true",
      "diff.evil.command": program,
      "diff.evil.textconv": program,
      "diff.external": program,
      "merge.evil.driver": program,
      "gpg.program": program,
      "commit.gpgSign": "true",
      "credential.helper": `!${program}`,
      "uploadpack.packObjectsHook": program,
      "include.path": join(root, "included"),
      "remote.origin.url": `ext::${program}`,
      "remote.origin.promisor": "true",
      "core.repositoryFormatVersion": "1",
      "extensions.partialClone": "origin",
      "submodule.recurse": "true",
    };
    for (const [key, value] of Object.entries(settings)) {
      execFileSync("git", ["config", key, value], { cwd: project });
    }
    writeFileSync(join(project, "a.txt"), "stat differs\n");
    const id = await begin("seven");
    await inside(id, `echo b >b.txt; ${COMMIT}`);
    expect((await fetch(id)).outcome).toBe("fetched");
    expect(existsSync(canary)).toBe(false);
    // The twin: git without our care does run it.
    spawnSync("git", ["status"], { cwd: project });
    expect(readFileSync(canary, "utf8")).toContain("evil");
    rmSync(canary);
  });

  test("executes nothing outside that the agent put into its clone", async () => {
    const program = evil();
    const id = await begin("eight");
    const running = await yard.sandboxes.running(id);
    const attack = [
      `printf '#!/bin/sh\\necho inside >>/tmp/ran; echo x >>${canary}\\n' >/tmp/evil`,
      `cp /tmp/evil evil.sh; chmod +x /tmp/evil evil.sh`,
      `for hook in reference-transaction pre-commit post-index-change post-checkout; do cp evil.sh .git/hooks/$hook; done`,
      `git config core.fsmonitor "$PWD/evil.sh"`,
      `git config core.alternateRefsCommand "$PWD/evil.sh"`,
      `git config filter.x.clean "$PWD/evil.sh; cat"`,
      `git config include.path ${program}`,
      `git config remote.origin.url "ext::${program}"`,
      `git config uploadpack.packObjectsHook ${program}`,
      `echo '* filter=x' >.git/info/attributes`,
      `mkdir -p .git/objects/info; echo ${join(root, "home")} >.git/objects/info/alternates`,
      `echo b >b.txt`,
    ].join("\n");
    await sh(running, attack);
    const outcome = await fetch(id).then(
      (fetched) => fetched.outcome,
      (error: unknown) => (error as { code: string }).code,
    );
    expect(["fetched", "held", "CLONE_WORK_INVALID"]).toContain(outcome);
    expect(git(project, "status", "--porcelain")).toBe("");
  });

  test("takes over no tree that would lay something where git or the host would obey it", async () => {
    const id = await begin("nine");
    const trees = [
      ["040000", ".git"],
      ["040000", ".GIT"],
      ["040000", ".."],
      ["120000", ".gitmodules"],
    ];
    for (const [mode, name] of trees) {
      await inside(
        id,
        `blob=$(echo x | git hash-object -w --stdin)
        object=$blob; [ ${mode} = 120000 ] || object=$(printf '100644 blob %s\\tf\\n' $blob | git mktree)
        { printf '${mode} ${name}\\0'; printf %s $object | sed 's/../\\\\x&/g' | xargs -0 printf %b; } >/tmp/tree
        bad=$(git hash-object -t tree -w --literally /tmp/tree)
        git update-ref HEAD $(git commit-tree -p HEAD -m bad $bad)`,
      );
      expect([name, await refused(fetch(id))]).toEqual([name, "CLONE_WORK_INVALID"]);
      await inside(id, "git update-ref HEAD HEAD~1");
    }
    expect(git(project, "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });

  test("takes over nothing of a history of which objects are missing", async () => {
    const id = await begin("ten");
    await inside(
      id,
      `echo gone >gone.txt; ${COMMIT}; git rm -q gone.txt; git commit -qm removed
      rm -f .git/objects/$(git rev-parse HEAD~1:gone.txt | sed 's|..|&/|')`,
    );
    expect(await refused(fetch(id))).toBe("CLONE_WORK_INVALID");
    expect(git(project, "for-each-ref", "--format=%(refname)")).toBe("refs/heads/main");
  });
});
