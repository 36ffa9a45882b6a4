import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { CattlegridError } from "../errors/error.ts";

/**
 * Writes a file of the owner's alone (0600): after a crash there is either the earlier content or this one, on the disk.
 * `building` is a name on the same file system that nobody else writes at the time. Throws DISK_FULL.
 */
export async function replaceFile(
  path: string,
  content: Uint8Array | string,
  building: string,
): Promise<void> {
  try {
    const file = await open(building, "w", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(building, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    throw new CattlegridError("DISK_FULL", `No space is left for ${path}.`, { cause: error });
  }
}

/** A name counts only once its directory is on the disk. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
