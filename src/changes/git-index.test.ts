import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hashStaged, isGitIndex } from "./git-index.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cg-index-"));
  git("init", "-q");
  for (const name of ["a", "seven77", "eight888", "x".repeat(200)])
    writeFileSync(join(root, name), name);
  git("add", "-A");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function git(...args: readonly string[]): void {
  execFileSync("git", ["-C", root, ...args]);
}

function index(): Buffer {
  return readFileSync(join(root, ".git/index"));
}

describe("what is staged", () => {
  test("is the same after git has only looked, and another once something was added", () => {
    const before = index();
    utimesSync(join(root, "a"), 1, 1);
    git("update-index", "--refresh");
    const looked = index();
    expect(looked.equals(before)).toBe(false);
    expect(hashStaged(looked)).toBe(hashStaged(before));
    writeFileSync(join(root, "b"), "b");
    git("add", "b");
    expect(hashStaged(index())).not.toBe(hashStaged(before));
    git("rm", "-q", "--cached", "b");
    expect(hashStaged(index())).toBe(hashStaged(before));
    git("update-index", "--chmod=+x", "a");
    expect(hashStaged(index())).not.toBe(hashStaged(before));
  });

  test("is not known of another version, a cut one, or what is no index", () => {
    const whole = index();
    git("update-index", "--index-version", "4");
    expect(hashStaged(index())).toBeUndefined();
    expect(hashStaged(whole.subarray(0, 100))).toBeUndefined();
    expect(hashStaged(Buffer.from("DIRC"))).toBeUndefined();
    expect(hashStaged(Buffer.alloc(0))).toBeUndefined();
  });

  test("is asked only of an index", () => {
    expect([".git/index", "sub/.git/index", "index", "x.git/index"].map(isGitIndex)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
