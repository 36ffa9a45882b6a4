import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveWorkspace, whyForbidden } from "./workspace.ts";

let root = "";
beforeEach(() => void (root = realpathSync(mkdtempSync(join(tmpdir(), "cg-workspace-")))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const surroundings = {
  stateDirectory: "/home/someone/.local/share/cattlegrid",
  runtimeDirectory: "/run/user/7/cattlegrid/key",
  homeDirectory: "/home/someone",
};
const code = (expected: string): unknown => expect.objectContaining({ code: expected });

describe("a workspace", () => {
  test.each(["plain", "with spaces", "a,b:c", "ünï", "quote'\"$x"])(
    "may be called %j",
    async (name) => {
      const path = join(root, name);
      mkdirSync(path);
      expect(await resolveWorkspace(path, surroundings)).toBe(path);
    },
  );

  test("is known by its real path", async () => {
    mkdirSync(join(root, "real"));
    symlinkSync("real", join(root, "link"));
    expect(await resolveWorkspace(join(root, "link/"), surroundings)).toBe(join(root, "real"));
  });

  test.each(["absent", "file", "file/below", "loop", "relative/path", "nul\0", "x".repeat(300)])(
    "that is no directory (%j) is missing",
    async (name) => {
      writeFileSync(join(root, "file"), "");
      symlinkSync("loop", join(root, "loop"));
      const path = name === "relative/path" ? name : `${root}/${name}`;
      const resolving = resolveWorkspace(path, surroundings);
      await expect(resolving).rejects.toEqual(code("WORKSPACE_MISSING"));
    },
  );

  test("is judged by where a link leads", async () => {
    symlinkSync("/etc", join(root, "innocent"));
    await expect(resolveWorkspace(join(root, "innocent"), surroundings)).rejects.toEqual(
      code("WORKSPACE_FORBIDDEN"),
    );
  });

  test.each([
    "/",
    "/home",
    "/home/someone",
    "/etc",
    "/etc/ssl",
    "/usr/local",
    "/proc/1",
    "/dev/shm",
    "/tmp",
    "/var",
    "/run",
    "/home/someone/.ssh",
    "/home/someone/.local",
    "/home/someone/.local/share/cattlegrid",
    "/home/someone/.local/share/cattlegrid/egress",
    "/run/user",
    "/run/user/7/cattlegrid/key",
  ])("may not be %s", (path) => {
    expect(whyForbidden(path, surroundings)).toBeTypeOf("string");
  });

  test.each([
    "/home/someone/project",
    "/home/someone/.dotfiles",
    "/home/someone/.local/share/cattlegrid-notes",
    "/home/someone-else",
    "/tmp/x",
    "/var/lib/jenkins/workspace",
    "/srv/x",
    "/usrlike",
  ])("may be %s", (path) => {
    expect(whyForbidden(path, surroundings)).toBeUndefined();
  });
});
