import { createHash } from "node:crypto";
import { existsSync, lstatSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { isDirectory } from "../storage/directories.ts";
import { DIGITS } from "./identity.ts";

/** Of what a root file system has to have one. */
export const SHELLS = ["bin/sh", "usr/bin/sh"];

/** A directory as it is: what is changed in it later is another base. Throws BASE_INVALID. */
export async function findDirectory(path: string): Promise<{ id: string; directory: string }> {
  const directory = existsSync(path) ? realpathSync(path) : path;
  if (!(await isDirectory(directory))) {
    throw new CattlegridError("BASE_INVALID", `The base ${path} is no directory.`);
  }
  requireShell(directory, path);
  const facts = [];
  for (const name of ["", "usr", "etc", "var/lib/dpkg/status", "lib/apk/db/installed"]) {
    const found = lstatSync(join(directory, name), { throwIfNoEntry: false });
    facts.push([found?.dev, found?.ino, found?.mtimeMs]);
  }
  return { id: `directory-${digest(JSON.stringify([directory, facts]))}`, directory };
}

/** Throws BASE_INVALID for what is no root file system. */
export function requireShell(directory: string, shown: string): void {
  const found = SHELLS.some((path) => lstatSync(join(directory, path), { throwIfNoEntry: false }));
  if (!found) throw withoutShell(shown);
}

export function withoutShell(shown: string): CattlegridError {
  const message = `${shown} is no root file system: it has no /bin/sh.`;
  return new CattlegridError("BASE_INVALID", message);
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, DIGITS);
}
