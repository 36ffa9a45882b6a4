import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolvePaths, type Paths } from "./paths.ts";
import { openStateDirectory } from "./state-directory.ts";
import { removeState } from "./state-removal.ts";

let root = "";
let paths: Paths;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cg-removal-"));
  const environment = { CATTLEGRID_HOME: join(root, "state"), XDG_RUNTIME_DIR: root };
  paths = resolvePaths({ environment, uid: process.getuid!(), homeDirectory: root });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("every byte goes, closed directories too, and what links lead to stays", async () => {
  openStateDirectory(paths.stateDirectory);
  mkdirSync(join(root, "outside"));
  writeFileSync(join(root, "outside/kept"), "");
  symlinkSync(join(root, "outside"), join(paths.stateDirectory, "link"));
  mkdirSync(join(paths.stateDirectory, "a/closed/below"), { recursive: true });
  chmodSync(join(paths.stateDirectory, "a/closed"), 0);
  mkdirSync(paths.runtimeDirectory, { recursive: true });
  await removeState(paths);
  await removeState(paths);
  expect(readdirSync(root)).toEqual(["outside"]);
  expect(existsSync(join(root, "outside/kept"))).toBe(true);
});

test("a directory that is not ours is left as it is", async () => {
  mkdirSync(paths.stateDirectory);
  writeFileSync(join(paths.stateDirectory, "thesis.txt"), "");
  await expect(removeState(paths)).rejects.toMatchObject({ code: "STATE_NOT_OURS" });
  expect(readdirSync(paths.stateDirectory)).toEqual(["thesis.txt"]);
});
