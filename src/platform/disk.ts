import { statfs } from "node:fs/promises";
import { CattlegridError } from "../errors/error.ts";
import { existingAncestor } from "./paths.ts";

/** Throws DISK_FULL when an ordinary user has less than `bytes` left on the disk that holds `path`. */
export async function checkDiskSpace(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(existingAncestor(path));
  const free = bavail * bsize;
  if (free >= bytes) return;
  const message = `${path} has ${megabytes(free)} of free space; ${megabytes(bytes)} are needed.`;
  throw new CattlegridError("DISK_FULL", message, { details: { path, freeBytes: free } });
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1e6)} MB`;
}
