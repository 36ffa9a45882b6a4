import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runProcess } from "../../src/platform/process.ts";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { answer, SandboxYard, sh, succeeding } from "../../src/testing/conformance/sandbox-yard.ts";
import { allOf, program } from "../support/requirement.ts";

const NEEDED = allOf(program("crun"), program("unshare"), program("nsenter"), program("git"));
const WAIT = { timeout: 15_000, interval: 20 };

describe.skipIf(!NEEDED.met)(NEEDED.title("protected paths while a sandbox runs"), () => {
  let yard: SandboxYard;
  let path: string;
  const at = (name: string): string => join(path, name);
  const start = (names: readonly string[]): Promise<RunningSandbox> =>
    yard.start({ workspace: { path, mode: "direct" }, protectedPaths: names.map(at) });
  /** As editors and git do: a new file that takes the name of the old one. */
  const replace = (name: string, text: string): void => {
    writeFileSync(at("swap"), text);
    renameSync(at("swap"), at(name));
  };
  const untilProtected = (sandbox: RunningSandbox, name: string): Promise<void> =>
    vi.waitFor(async () => {
      expect((await sh(sandbox, `test -e ${name} && ! test -w ${name}`)).code).toBe(0);
    }, WAIT);

  beforeEach(() => {
    yard = new SandboxYard(createLocalProvider);
    path = yard.makeDirectory("project");
    mkdirSync(at(".git/hooks"), { recursive: true });
    for (const name of [".git/config", ".envrc", "free"]) writeFileSync(at(name), "host\n");
  });
  afterEach(async () => yard.close());

  test("are read-only again after a host program has replaced them, whatever the times", async () => {
    const sandbox = await start([".git/config", ".git/hooks", ".envrc"]);
    for (const round of ["one", "two", "three"]) {
      for (const name of [".git/config", ".envrc"]) replace(name, `${round}\n`);
      await untilProtected(sandbox, ".git/config");
      await untilProtected(sandbox, ".envrc");
      const attacks = [
        "echo x >>.git/config",
        "rm -f .envrc",
        "mv .git/config c2",
        "mv .git g2",
        "echo x >new && mv -f new .envrc",
      ];
      expect(await succeeding(sandbox, attacks)).toEqual([]);
      expect(await answer(sandbox, "cat .git/config .envrc")).toBe(`${round}\n${round}`);
    }
    replace("free", "changed\n");
    expect(await answer(sandbox, "echo agent >free && cat free")).toBe("agent");
    expect(readFileSync(at("free"), "utf8")).toBe("agent\n");
  });

  test("are protected in a directory that took the place of theirs", async () => {
    const sandbox = await start([".git/config", ".git/hooks"]);
    cpSync(at(".git"), at("copy"), { recursive: true });
    renameSync(at(".git"), at("old"));
    renameSync(at("copy"), at(".git"));
    await untilProtected(sandbox, ".git/config");
    await untilProtected(sandbox, ".git/hooks");
    const attacks = ["echo x >.git/hooks/pre-commit", "mv .git g2", "echo x >>.git/config"];
    expect(await succeeding(sandbox, attacks)).toEqual([]);
    replace(".git/config", "host again\n");
    await untilProtected(sandbox, ".git/config");
    expect(await answer(sandbox, "touch .git/index && ls .git")).toBe("config\nhooks\nindex");
  });

  test("that were away are protected when they come back", async () => {
    const sandbox = await start([".envrc"]);
    unlinkSync(at(".envrc"));
    const gaps = (): string => JSON.stringify(sandbox.facts["notProtected"]);
    await vi.waitFor(() => expect(gaps()).toContain(".envrc is gone"), WAIT);
    writeFileSync(at(".envrc"), "back\n");
    await untilProtected(sandbox, ".envrc");
    await vi.waitFor(() => expect(gaps()).not.toContain(".envrc"), WAIT);
  });

  test("that a link has replaced are named as not protected, and the link leads to nothing new", async () => {
    const outside = yard.makeDirectory("outside");
    mkdirSync(join(outside, "hooks"));
    const sandbox = await start([".git/hooks"]);
    renameSync(at(".git"), at("old"));
    symlinkSync(outside, at(".git"));
    await vi.waitFor(
      () =>
        expect(JSON.stringify(sandbox.facts["notProtected"])).toContain(
          ".git/hooks is a symbolic link",
        ),
      WAIT,
    );
    expect((await sh(sandbox, "ls .git/hooks/")).code).not.toBe(0);
    unlinkSync(at(".git"));
    renameSync(at("old"), at(".git"));
    await untilProtected(sandbox, ".git/hooks");
  });

  test("are found replaced under a flood of changes by a program inside", async () => {
    const sandbox = await start([".envrc"]);
    const flood = sh(
      sandbox,
      "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do for i in 1 2 3 4 5 6 7 8; do : >f$i; rm f$i; done; done",
    );
    replace(".envrc", "new\n");
    await untilProtected(sandbox, ".envrc");
    await flood;
    expect(await succeeding(sandbox, ["echo x >>.envrc"])).toEqual([]);
  });

  test("change nothing that git on the host sees, and put nothing into the tree", async () => {
    rmSync(at(".git"), { recursive: true });
    const git = async (...args: readonly string[]): Promise<string> =>
      (await runProcess(["git", "-C", path, ...args])).stdout;
    await git("init", "-q", "-b", "main");
    const look = async (): Promise<unknown> => [
      await git("status", "--porcelain", "--ignored"),
      readdirSync(path, { recursive: true }).map(String).toSorted(),
    ];
    const before = await look();
    const sandbox = await start([".git/config", ".git/hooks", ".envrc", ".mcp.json"]);
    expect(await look()).toEqual(before);
    await git("config", "user.name", "Ada");
    await untilProtected(sandbox, ".git/config");
    expect(await answer(sandbox, "git config user.name")).toBe("Ada");
    expect((await sh(sandbox, "git config core.hooksPath /tmp")).code).not.toBe(0);
    expect(await look()).toEqual(before);
    expect(existsSync(at(".mcp.json"))).toBe(false);
  });

  test("leave as many mounts as before, however often they are replaced", async () => {
    const sandbox = await start([".envrc"]);
    const count = (): Promise<string> => answer(sandbox, "wc -l </proc/self/mountinfo");
    const before = await count();
    for (let round = 0; round < 10; round += 1) {
      replace(".envrc", `${round}\n`);
      await untilProtected(sandbox, ".envrc");
    }
    expect(await count()).toBe(before);
  });
});
