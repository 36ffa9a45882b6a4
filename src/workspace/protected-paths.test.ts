import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDirectoryReader } from "./directory-reader.ts";
import { findCreated, findProtectedPaths, PROTECTED_NAMES } from "./protected-paths.ts";

let root = "";
beforeEach(() => void (root = realpathSync(mkdtempSync(join(tmpdir(), "cg-protected-")))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text = ""): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function makeGitDirectory(path: string, config = ""): void {
  write(join(path, "HEAD"), "ref: refs/heads/main\n");
  write(join(path, "config"), config);
  for (const name of ["objects", "refs", "hooks"]) {
    mkdirSync(join(root, path, name), { recursive: true });
  }
}

async function look(): Promise<string[]> {
  const found = await findProtectedPaths(root, createDirectoryReader());
  return found.map(({ path }) => relative(root, path));
}

describe("protected paths", () => {
  test("are none in a directory that has none of them", async () => {
    write("src/index.js");
    write("Makefile");
    expect(await look()).toEqual([]);
  });

  test("are every existing name of the table, each with its reason", async () => {
    const files = PROTECTED_NAMES.map(({ path }) => path.replace("*", "x"));
    for (const path of files) write(path);
    const found = await findProtectedPaths(root, createDirectoryReader());
    expect(found.map(({ path }) => relative(root, path))).toEqual(files.sort());
    expect(found.every(({ reason }) => reason.length > 10)).toBe(true);
  });

  test("leave an agent's own notes beside the settings writable", async () => {
    write(".kiro/settings/mcp.json");
    write(".kiro/steering/product.md");
    expect(await look()).toEqual([".kiro/settings"]);
  });

  test("of a repository are its hooks and configuration, and those of its worktrees", async () => {
    makeGitDirectory(".git");
    write(".git/worktrees/w/commondir");
    write(".git/worktrees/w/gitdir");
    write(".git/objects/info/alternates");
    expect(await look()).toEqual([
      ".git/config",
      ".git/hooks",
      ".git/objects/info/alternates",
      ".git/worktrees/w/commondir",
      ".git/worktrees/w/gitdir",
    ]);
  });

  test("follow hook paths and includes of the configuration, in circles too", async () => {
    makeGitDirectory(
      ".git",
      '[core]\n\thooksPath = "tools/my hooks" ; ours\n[include]\n\tpath = ../shared.inc\n',
    );
    write("tools/my hooks/pre-commit");
    write("shared.inc", '[includeIf "gitdir:~/x"] path = more.inc\n');
    write("more.inc", "[include]\npath = shared.inc\n[include]\npath = /etc/gitconfig\n");
    expect(await look()).toEqual([
      ".git/config",
      ".git/hooks",
      "more.inc",
      "shared.inc",
      "tools/my hooks",
    ]);
  });

  test("reach submodules: the git file outside and the git directory in modules", async () => {
    makeGitDirectory(".git");
    makeGitDirectory(".git/modules/libs/one");
    write(".gitmodules", '[submodule "one"]\n\tpath = libs/deep/one\n[submodule]\n\tpath = ..\n');
    write("libs/deep/one/.git", "gitdir: ../../../.git/modules/libs/one\n");
    expect(await look()).toEqual([
      ".git/config",
      ".git/hooks",
      ".git/modules/libs/one/config",
      ".git/modules/libs/one/hooks",
      "libs/deep/one/.git",
    ]);
  });

  test("are those of a worktree, of a bare repository, and of repositories one directory down", async () => {
    write(".git", "gitdir: /elsewhere\n");
    makeGitDirectory("bare.git");
    makeGitDirectory("app/.git");
    expect(await look()).toEqual([
      ".git",
      "app/.git/config",
      "app/.git/hooks",
      "bare.git/config",
      "bare.git/hooks",
    ]);
  });

  test("are where links lead, when that is in the workspace", async () => {
    write("config/editor/tasks.json");
    symlinkSync("config/editor", join(root, ".vscode"));
    symlinkSync("/etc", join(root, ".idea"));
    symlinkSync("nowhere", join(root, ".envrc"));
    expect(await look()).toEqual(["config/editor/tasks.json"]);
  });

  test("are looked for without waiting on pipes or opening devices", async () => {
    makeGitDirectory(".git");
    for (const path of [".git/config", ".gitmodules", "app/.git/config", "b/.git/config"]) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      rmSync(join(root, path), { force: true });
      execFileSync("mkfifo", [join(root, path)]);
    }
    mkdirSync(join(root, "device/.git"), { recursive: true });
    symlinkSync("/dev/zero", join(root, "device/.git/config"));
    expect(await look()).toEqual([".git/config", ".git/hooks", "app/.git/config", "b/.git/config"]);
  });

  test("that a session made are told apart from those it found", async () => {
    write(".claude/settings.json");
    const before = await findProtectedPaths(root, createDirectoryReader());
    write(".mcp.json", "{}");
    makeGitDirectory("new/.git");
    const after = await findProtectedPaths(root, createDirectoryReader());
    const created = findCreated(
      before.map(({ path }) => path),
      after,
    );
    expect(created.map(({ path }) => relative(root, path))).toEqual([
      ".mcp.json",
      "new/.git/config",
      "new/.git/hooks",
    ]);
  });
});
