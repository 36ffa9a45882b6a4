/** Workspaces whose paths are awkward, in every mode; and one of a hundred thousand files. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, NEVER, sh } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program, requirement, root } from "../support/requirement.ts";
import { SandboxYard } from "../support/sandbox-yard.ts";
import { EVERYTHING } from "../support/overlay-yard.ts";

const needs = allOf(program("crun"), program("unshare"), program("nsenter"), program("git"));
const asRoot = root();
const MEMORY = "/dev/shm";
const memory = requirement("a file system in memory", () =>
  existsSync(MEMORY) ? undefined : `no ${MEMORY}`,
);

describe.skipIf(!needs.met)(needs.title("a workspace in the local provider"), () => {
  let yard: SandboxYard;
  async function open(parent: string): Promise<void> {
    const directory = realpathSync(mkdtempSync(join(parent, "cg-paths-")));
    const provider = createLocalProvider({
      stateDirectory: join(directory, "state"),
      runtimeDirectory: join(directory, "run"),
    });
    yard = await SandboxYard.open({ providers: [provider] }, directory);
  }
  beforeEach(async () => open(tmpdir()));
  afterEach(async () => {
    await yard.close();
    yard.remove();
  });

  const git = (directory: string, ...args: readonly string[]): string =>
    execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@b", ...args], {
      cwd: directory,
      encoding: "utf8",
    });

  function makeProject(name: string): string {
    const project = join(yard.root, "home", name);
    mkdirSync(project, { recursive: true });
    writeFileSync(join(project, "f"), "one\n");
    git(project, "init", "-q", "-b", "main");
    git(project, "add", "f");
    git(project, "commit", "-qm", "first");
    return project;
  }

  async function begin(name: string, workspace: string, mode: string): Promise<string> {
    const gitIdentity = { name: "A", email: "a@b" };
    const id = await yard.make({ name, workspace, mode: mode as "direct", gitIdentity });
    await yard.run(id);
    return id;
  }
  const inside = async (id: string, script: string): Promise<string> =>
    answer(await yard.sandboxes.running(id), script);

  test.each([
    ["holds line feeds and escapes", "a\nb\u001b[31m \\x 'q' \"r\" $(id)"],
    ["has components of 200 characters", `${"d".repeat(200)}/${"e".repeat(200)}`],
  ])("whose path %s works in every mode", async (_, name) => {
    const project = makeProject(name);
    const read = (file: string): string => readFileSync(join(project, file), "utf8");
    const direct = await begin("direct", project, "direct");
    expect(
      await inside(direct, "pwd; echo two >>f; git status -s; git config x.y z || echo no"),
    ).toBe(`${project}\n M f\nno`);
    expect(read("f")).toBe("one\ntwo\n");
    const readonly = await begin("readonly", project, "readonly");
    expect(await inside(readonly, "pwd; cat f; echo x 2>/dev/null >f || echo no")).toBe(
      `${project}\none\ntwo\nno`,
    );
    const overlay = await begin("overlay", project, "overlay");
    expect(await inside(overlay, "pwd; echo three >>f; echo n >new; cat f")).toBe(
      `${project}\none\ntwo\nthree`,
    );
    expect(read("f")).toBe("one\ntwo\n");
    const { applied } = await yard.sandboxes.changes.apply(overlay, EVERYTHING, NEVER);
    expect(applied.map(({ path }) => path)).toEqual(["f", "new"]);
    expect(read("f")).toBe("one\ntwo\nthree\n");
    const clone = await begin("clone", project, "clone");
    expect(await inside(clone, "pwd; cat f; echo c >c; git add c; git commit -qm c")).toBe(
      `${project}\none`,
    );
    expect((await yard.sandboxes.fetch(clone, [], NEVER)).outcome).toBe("fetched");
    expect(git(project, "show", "cattlegrid/clone:c")).toBe("c\n");
  });

  test.skipIf(!asRoot.met)(
    asRoot.title(
      "shows an empty file in place of each device, in every mode that shows the user's files",
    ),
    async () => {
      const project = makeProject("devices");
      execFileSync("mknod", [join(project, "zero"), "c", "1", "5"]);
      execFileSync("mknod", [join(project, "loop"), "b", "7", "0"]);
      execFileSync("chmod", ["666", join(project, "zero"), join(project, "loop")]);
      expect(execFileSync("head", ["-c", "3", join(project, "zero")])).toHaveLength(3);
      for (const mode of ["direct", "readonly", "overlay"]) {
        const id = await begin(mode, project, mode);
        const script = "for f in zero loop; do head -c 3 $f 2>/dev/null | wc -c; done";
        expect([mode, await inside(id, script)]).toEqual([mode, "0\n0"]);
        const running = await yard.sandboxes.running(id);
        expect((await sh(running, "mknod own c 1 5")).code).not.toBe(0);
      }
    },
  );

  test.skipIf(!memory.met)(
    memory.title("of a hundred thousand files is cloned, changed and fetched"),
    async () => {
      const project = mkdtempSync(join(realpathSync(tmpdir()), "cg-large-"));
      await yard.close();
      yard.remove();
      await open(MEMORY);
      // The user has not checked it out, so that only the clone is as large as it says.
      const fill = `git init -q -b main; blob=$(echo x | git hash-object -w --stdin)
        directory=$(for i in $(seq 0 99); do printf '100644 blob %s\\tf%s\\n' $blob $i; done | git mktree)
        tree=$(for i in $(seq 1000); do printf '040000 tree %s\\td%s\\n' $directory $i; done | git mktree)
        git update-ref HEAD $(git -c user.name=A -c user.email=a@b commit-tree -m large $tree)`;
      execFileSync("bash", ["-ec", fill], { cwd: project });
      const id = await begin("large", project, "clone");
      expect(await inside(id, "find . -name .git -prune -o -type f -print | wc -l")).toBe("100000");
      await inside(id, "rm -r d1; for i in $(seq 0 99); do echo y >d2/f$i; done");
      const fetched = await yard.sandboxes.fetch(id, [], NEVER);
      expect([fetched.outcome, fetched.changes]).toEqual(["fetched", 200]);
      expect(git(project, "diff", "--shortstat", "main", "cattlegrid/large")).toContain(
        "200 files changed",
      );
      await yard.sandboxes.remove(id);
      expect(existsSync(join(yard.root, "state/clones", id))).toBe(false);
      rmSync(project, { recursive: true });
    },
  );
});
