import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "./native/libc.ts";

/** Looked in besides nothing: the caller's PATH must not choose what runs with the engine's rights. */
const DIRECTORIES = [
  "/usr/bin",
  "/usr/sbin",
  "/bin",
  "/sbin",
  "/usr/local/bin",
  "/usr/local/sbin",
  "/run/current-system/sw/bin",
];

/** Where a program of the system is; undefined where it is not installed. */
export function findSystemProgram(name: string): string | undefined {
  return DIRECTORIES.map((directory) => join(directory, name)).find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES", "ENOTDIR")) return false;
    throw error;
  }
}
