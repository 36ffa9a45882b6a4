import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkPrivateDirectory, openRuntimeDirectory, resolvePaths } from "./paths.ts";

const uid = process.getuid!();
let directory = "";
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "cg-paths-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function paths(environment: Record<string, string>): ReturnType<typeof resolvePaths> {
  return resolvePaths({ environment, uid, homeDirectory: "/home/someone" });
}

describe("state and sockets", () => {
  test("lie under the home directory unless CATTLEGRID_HOME moves them", () => {
    expect(paths({}).stateDirectory).toBe("/home/someone/.local/share/cattlegrid");
    expect(paths({ CATTLEGRID_HOME: "" }).stateDirectory).toBe(paths({}).stateDirectory);
    expect(paths({ CATTLEGRID_HOME: "/srv/cg" }).databaseFile).toBe("/srv/cg/state.db");
  });

  test("are the same for two spellings of one directory, though it does not exist yet", () => {
    symlinkSync(directory, `${directory}.link`);
    try {
      const real = paths({ CATTLEGRID_HOME: join(directory, "a/b") });
      const linked = paths({ CATTLEGRID_HOME: join(`${directory}.link`, "x/../a/b") });
      expect(linked.socketFile).toBe(real.socketFile);
    } finally {
      rmSync(`${directory}.link`);
    }
  });

  test.each(["", "a/b"])(
    "are refused where this account may not enter, whether they are there or not (%j)",
    (below) => {
      const home = join(directory, "closed", below);
      mkdirSync(join(directory, "closed"), { mode: 0o000 });
      // Root enters every directory.
      if (uid === 0) {
        chmodSync(directory, 0o755);
        process.seteuid?.(65_534);
      }
      try {
        expect(() => paths({ CATTLEGRID_HOME: home })).toThrow(
          expect.objectContaining({ code: "STATE_NOT_OURS" }),
        );
      } finally {
        if (uid === 0) process.seteuid?.(0);
      }
      expect(paths({ CATTLEGRID_HOME: directory }).stateDirectory).toBe(directory);
    },
  );

  test("use XDG_RUNTIME_DIR only when it is the user's own and short enough", () => {
    expect(paths({ XDG_RUNTIME_DIR: directory }).socketFile).toMatch(
      new RegExp(`^${directory}/cattlegrid/[0-9a-f]{16}/api.sock$`),
    );
    const long = join(directory, "x".repeat(80));
    mkdirSync(long);
    for (const other of [long, "/nonexistent", "relative"]) {
      const { socketFile } = paths({ XDG_RUNTIME_DIR: other });
      expect(socketFile).toMatch(new RegExp(`^/tmp/cattlegrid-${uid}/[0-9a-f]{16}/api.sock$`));
      expect(socketFile.length).toBeLessThan(108);
    }
  });
});

describe("the runtime directory", () => {
  test("is made for its owner alone, and made again without complaint", () => {
    const path = join(directory, "own/key");
    openRuntimeDirectory(path, uid);
    openRuntimeDirectory(path, uid);
    expect(() => checkPrivateDirectory(path, uid)).not.toThrow();
  });

  test.each([
    ["open to others", (path: string) => chmodSync(path, 0o755)],
    [
      "a symbolic link",
      (path: string) => {
        rmSync(path, { recursive: true });
        mkdirSync(`${path}.real`, { mode: 0o700 });
        symlinkSync(`${path}.real`, path);
      },
    ],
  ])("is refused when it is %s", (_title, spoil) => {
    const path = join(directory, "spoilt");
    mkdirSync(path, { mode: 0o700 });
    spoil(path);
    expect(() => openRuntimeDirectory(join(path, "key"), uid)).toThrow(
      expect.objectContaining({ code: "RUNTIME_DIRECTORY_UNSAFE" }),
    );
  });

  test("is refused when another user owns it", () => {
    expect(() => checkPrivateDirectory(directory, uid + 1)).toThrow(
      expect.objectContaining({ code: "RUNTIME_DIRECTORY_UNSAFE" }),
    );
  });
});
