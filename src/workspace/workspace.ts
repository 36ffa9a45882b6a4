import { realpath, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { isWithin, resolveExisting } from "../platform/paths.ts";

/** Directories that, like everything below them, belong to the system. */
const SYSTEM_TREES = [
  "/bin",
  "/boot",
  "/dev",
  "/etc",
  "/lib",
  "/lib32",
  "/lib64",
  "/proc",
  "/sbin",
  "/sys",
  "/usr",
];
/** Directories that only hold other people's and programs' directories. */
const SYSTEM_ROOTS = [
  "/",
  "/home",
  "/media",
  "/mnt",
  "/opt",
  "/root",
  "/run",
  "/srv",
  "/tmp",
  "/var",
  "/var/lib",
  "/var/log",
  "/var/run",
  "/var/tmp",
];
/** Below the home directory: nothing but keys and sign-ins. */
const CREDENTIAL_TREES = [".ssh", ".gnupg", ".aws", ".kube"];

export interface WorkspaceSurroundings {
  stateDirectory: string;
  runtimeDirectory: string;
  homeDirectory: string;
}

/**
 * The real path of a directory that may be a workspace. Throws WORKSPACE_MISSING or WORKSPACE_FORBIDDEN; a link
 * is judged by where it leads.
 */
export async function resolveWorkspace(
  path: string,
  surroundings: WorkspaceSurroundings,
): Promise<string> {
  if (!isAbsolute(path)) throw missing(path, "is not an absolute path");
  const real = await findDirectory(path);
  const why = whyForbidden(real, surroundings);
  if (why === undefined) return real;
  const shown = real === path ? path : `${path} (which is ${real})`;
  throw new CattlegridError("WORKSPACE_FORBIDDEN", `${shown} cannot be a workspace: ${why}.`);
}

async function findDirectory(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    if (!(await stat(real)).isDirectory()) throw missing(path, "is not a directory");
    return real;
  } catch (error) {
    const why = WHY_MISSING[String((error as NodeJS.ErrnoException).code)];
    if (why === undefined) throw error;
    throw missing(path, why);
  }
}

const WHY_MISSING: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "cannot be entered by the user who runs the daemon",
  ELOOP: "is a link that leads to itself",
  ENAMETOOLONG: "has a name that is too long",
  ERR_INVALID_ARG_VALUE: "has a name that no file can have",
};

function missing(path: string, why: string): CattlegridError {
  return new CattlegridError("WORKSPACE_MISSING", `The workspace ${path} ${why}.`);
}

/** Pure but for resolving links in the surroundings. */
export function whyForbidden(
  real: string,
  surroundings: WorkspaceSurroundings,
): string | undefined {
  const home = resolveExisting(surroundings.homeDirectory);
  if (real === home) return "it is your home directory";
  if (SYSTEM_ROOTS.includes(real)) return "it is a system directory";
  if (isWithin(home, real)) return "your home directory lies in it";
  if (SYSTEM_TREES.some((tree) => isWithin(real, tree))) return "it is part of the system";
  if (CREDENTIAL_TREES.some((name) => isWithin(real, join(home, name))))
    return "it holds your keys";
  for (const own of [surroundings.stateDirectory, surroundings.runtimeDirectory]) {
    const path = resolveExisting(own);
    if (isWithin(real, path)) return `it is Cattlegrid's own ${path}`;
    if (isWithin(path, real)) return `Cattlegrid's own ${path} lies in it`;
  }
  return undefined;
}
