import { realpath, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { isWithin, resolveExisting } from "../../platform/paths.ts";
import type { WorkspaceSurroundings } from "../../workspace/workspace.ts";

/** Below the home directory: what holds keys, besides programs or not. */
const PRIVATE_NAMES = [".ssh", ".gnupg", ".aws", ".kube", ".config", ".mozilla"];
const KERNEL_TREES = ["/proc", "/sys", "/dev", "/run"];

/**
 * SECURITY: a toolchain is read-only inside but readable, so nothing may be one that holds the home directory,
 * keys, or the state with the sign-ins of other sandboxes. One in the workspace is the agent's to change, so no link
 * may lead it out of there. Throws REQUEST_INVALID.
 */
export async function checkToolchain(
  path: string,
  surroundings: WorkspaceSurroundings,
  workspace?: string,
): Promise<void> {
  const refuse = (why: string): never => {
    throw new CattlegridError("REQUEST_INVALID", `${path} cannot be a toolchain: ${why}.`, {
      hint: "Name the directory of one tool, such as /opt/tool or ~/.nvm.",
    });
  };
  if (!isAbsolute(path) || !(await isDirectory(path))) refuse("it is not an absolute directory");
  const real = await realpath(path);
  const home = resolveExisting(surroundings.homeDirectory);
  const own = [surroundings.stateDirectory, surroundings.runtimeDirectory].map(resolveExisting);
  if ([home, ...own].some((hidden) => isWithin(hidden, real))) {
    refuse("your home directory or Cattlegrid's own state lies in it");
  }
  const hidden = [...own, ...PRIVATE_NAMES.map((name) => join(home, name)), ...KERNEL_TREES];
  const tree = hidden.find((each) => isWithin(real, each));
  if (tree !== undefined) refuse(`it lies in ${tree}`);
  if (workspace === undefined || !isWithin(path, workspace) || isWithin(real, workspace)) return;
  refuse(`it lies in the workspace, and a link leads out of there to ${real}`);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG"].includes(code)) return false;
    throw error;
  }
}
