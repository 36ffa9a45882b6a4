import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProcess } from "../../platform/process.ts";
import {
  answer,
  SandboxYard,
  sh,
  succeeding,
  type Difference,
  type Kernel,
  type MakeProvider,
} from "./sandbox-yard.ts";

async function git(directory: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await runProcess(["git", "-C", directory, ...args]);
  return stdout;
}

export function describeWorkspace(
  makeProvider: MakeProvider,
  kernel: Kernel,
  differences: readonly Difference[],
): void {
  describe("workspace", () => {
    let yard: SandboxYard;
    beforeAll(() => {
      yard = new SandboxYard(makeProvider);
    });
    afterAll(async () => yard.close());

    test("direct: the same path, writable, and new files belong to the workspace's owner", async () => {
      const path = yard.makeDirectory("direct");
      writeFileSync(join(path, "old"), "before");
      const sandbox = await yard.start({ workspace: { path, mode: "direct" } });
      expect(await answer(sandbox, "cat old; echo after >old; mkdir d; echo x >d/new")).toBe(
        "before",
      );
      expect(readFileSync(join(path, "old"), "utf8")).toBe("after\n");
      expect(statSync(join(path, "d/new")).uid).toBe(statSync(path).uid);
      expect(await answer(sandbox, "stat -c %U old d/new")).toBe("agent\nagent");
    });

    test("readonly: nothing below can be written, renamed or remounted", async () => {
      const path = yard.makeDirectory("readonly");
      mkdirSync(join(path, "d"));
      writeFileSync(join(path, "f"), "kept");
      const sandbox = await yard.start({ workspace: { path, mode: "readonly" } });
      const attack = "echo x >f; echo x >d/n; mv f g; rm f; mount -o remount,rw . ; touch d";
      await sh(sandbox, attack);
      expect(await answer(sandbox, "cat f; ls d")).toBe("kept");
      expect(readFileSync(join(path, "f"), "utf8")).toBe("kept");
      expect((await sh(sandbox, "echo fine >/tmp/f")).code).toBe(0);
    });

    test("protected paths cannot be changed, moved, or taken away with their parents", async () => {
      const path = yard.makeDirectory("protected");
      mkdirSync(join(path, ".git/hooks"), { recursive: true });
      mkdirSync(join(path, "deep/down/here"), { recursive: true });
      writeFileSync(join(path, ".git/config"), "[core]\n");
      writeFileSync(join(path, "deep/down/here/tasks.json"), "{}");
      const protectedPaths = [".git/hooks", ".git/config", "deep/down/here/tasks.json"].map(
        (each) => join(path, each),
      );
      const sandbox = await yard.start({ workspace: { path, mode: "direct" }, protectedPaths });
      const attacks = [
        "mv .git g2",
        "mv deep d2",
        "mv deep/down d2",
        "rm -rf .git",
        "echo x >.git/hooks/pre-commit",
        "echo x >>.git/config",
        "mv .git/hooks h2",
        "ln -f /etc/passwd .git/config",
        "echo x >deep/down/here/tasks.json",
      ];
      expect(await succeeding(sandbox, attacks)).toEqual([]);
      expect(await answer(sandbox, "touch .git/index deep/down/fine && ls deep/down")).toBe(
        "fine\nhere",
      );
      expect(readFileSync(join(path, ".git/config"), "utf8")).toBe("[core]\n");
      expect(await answer(sandbox, "ls .git/hooks | wc -l")).toBe("0");
    });

    test("no program of the agent's making gets a set-user-id or set-group-id bit on the host", async () => {
      const path = yard.makeDirectory("bits");
      const sandbox = await yard.start({ workspace: { path, mode: "direct" } });
      const python = (code: string): string => `/usr/bin/python3 -c 'import os; ${code}'`;
      const attacks = [
        "cp /bin/true s; chmod 4755 s",
        "chmod g+s s",
        "mkdir -m 2755 d",
        python('os.fchmod(os.open("s", os.O_RDONLY), 0o6755)'),
        python('os.open("t", os.O_CREAT | os.O_WRONLY, 0o4755)'),
        python('os.open("u", os.O_CREAT | os.O_WRONLY, 0o2755)'),
        python('os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o4755)'),
        python('os.mknod("v", 0o104755)'),
      ];
      const succeeded = await succeeding(sandbox, attacks);
      // A kernel of the sandbox's own may say that it was done. What counts is what the host has.
      expect(kernel === "host" ? succeeded : []).toEqual([]);
      const modes = readdirSync(path).map((name) => lstatSync(join(path, name)).mode & 0o6000);
      expect(modes.length).toBeGreaterThan(0);
      expect(modes.every((mode) => mode === 0)).toBe(true);
      expect(
        await answer(sandbox, "chmod 1755 s; chmod 755 s; stat -c %a s; find . -perm /6000"),
      ).toBe("755");
    });

    test("a symbolic link in place of a protected path chooses nothing outside", async () => {
      const path = yard.makeDirectory("linked");
      const outside = yard.makeDirectory("outside");
      symlinkSync(outside, join(path, ".git"));
      mkdirSync(join(outside, "hooks"));
      const protectedPaths = [join(path, ".git/hooks")];
      const sandbox = await yard.start({ workspace: { path, mode: "direct" }, protectedPaths });
      expect((await sh(sandbox, "ls .git/hooks")).code).not.toBe(0);
      expect(JSON.stringify(sandbox.facts["notProtected"])).toContain(".git/hooks");
    });

    test.for(["with space", "com,ma:colon", "back\\slash", "quote'\"", "ünïcode"])(
      "a path that holds %s works",
      async (name, context) => {
        if (differences.includes("plain-paths") && /[,'"]/.test(name)) {
          context.skip("needs a provider that mounts any path");
        }
        const path = yard.makeDirectory(name);
        mkdirSync(join(path, "kept safe"));
        writeFileSync(join(path, "kept safe/f"), "safe");
        const sandbox = await yard.start({
          workspace: { path, mode: "direct" },
          protectedPaths: [join(path, "kept safe/f")],
        });
        expect(await answer(sandbox, "pwd && echo x >new && cat new")).toBe(`${path}\nx`);
        expect((await sh(sandbox, "echo x >'kept safe/f'")).code).not.toBe(0);
      },
    );

    test("git works inside with the given identity, and the host sees the same before and during", async () => {
      const path = yard.makeDirectory("repository");
      await git(path, "init", "-q", "-b", "main");
      writeFileSync(join(path, "f"), "one\n");
      const protectedPaths = [".git/hooks", ".git/config"].map((each) => join(path, each));
      const before = await git(path, "status", "--porcelain", "--ignored");
      const sandbox = await yard.start({
        workspace: { path, mode: "direct" },
        protectedPaths,
        gitIdentity: { name: 'Ada "L" Lovelace', email: "ada@example.org" },
      });
      expect(await git(path, "status", "--porcelain", "--ignored")).toBe(before);
      await answer(sandbox, "git add f && git commit -qm first && git checkout -qb other");
      expect(await git(path, "log", "--format=%an <%ae> %s", "other")).toBe(
        'Ada "L" Lovelace <ada@example.org> first\n',
      );
      expect((await sh(sandbox, "git config core.hooksPath /tmp")).code).not.toBe(0);
    });
  });
}
