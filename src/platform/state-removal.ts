import { lstat, rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { Paths } from "./paths.ts";
import { checkStateDirectory } from "./state-directory.ts";
import { removeTree } from "./tree-removal.ts";

/**
 * Removes every byte of an installation whose daemon has ended. SECURITY: only a directory that bears our marker is
 * touched, whatever CATTLEGRID_HOME names; links in it are removed, never followed. Idempotent.
 */
export async function removeState(paths: Paths): Promise<void> {
  if (await isPresent(paths.stateDirectory)) {
    // Throws STATE_NOT_OURS.
    checkStateDirectory(paths.stateDirectory);
    await removeTree(paths.stateDirectory);
  }
  await removeTree(paths.runtimeDirectory);
  await removeIfEmpty(dirname(paths.runtimeDirectory));
}

async function isPresent(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(codeOf(error))) throw error;
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
