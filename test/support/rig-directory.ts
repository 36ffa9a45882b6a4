import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeed } from "../../bench/peers/peer.ts";
import { hasErrno } from "../../src/platform/native/libc.ts";
import { bindTree, detachMount } from "../../src/platform/native/mount.ts";

const OWNER = "owner";

/** A directory for an engine of a test's own, in which mounts follow this machine's. What killed tests left is removed first. */
export async function openRigDirectory(parent: string, prefix: string): Promise<string> {
  reapRigDirectories(parent, prefix);
  const directory = mkdtempSync(join(parent, prefix));
  bindTree(directory, directory);
  await succeed(["mount", "--make-rshared", directory], { cwd: "/" });
  writeFileSync(join(directory, OWNER), describeProcess(process.pid) ?? "");
  return directory;
}

/** What is mounted below goes with it; SECURITY: only what this rig has made, by its own name. */
export function removeRigDirectory(directory: string): void {
  const table = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const paths = table.map((line) => line.split(" ")[4] ?? "");
  const own = paths.filter((path) => path === directory || path.startsWith(`${directory}/`));
  for (const path of own.toReversed()) detachMount(path);
  rmSync(directory, { recursive: true, force: true });
}

/** Removes those whose process has ended. Its engine has ended with it. */
export function reapRigDirectories(parent: string, prefix: string): void {
  for (const name of readdirSync(parent).filter((each) => each.startsWith(prefix))) {
    const owner = join(parent, name, OWNER);
    // One without is just being made.
    if (!existsSync(owner)) continue;
    const text = readFileSync(owner, "utf8");
    if (describeProcess(Number(text.split(" ", 1)[0])) === text) continue;
    try {
      removeRigDirectory(join(parent, name));
    } catch (error) {
      // Something of it still runs, or another test removes it: it is not in the way.
      if (!hasErrno(error, "EBUSY", "EINVAL", "ENOENT", "ENOTEMPTY")) throw error;
    }
  }
}

/** Its number and when it started, as numbers come back. */
export function describeProcess(pid: number): string | undefined {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  return `${pid} ${text.slice(text.lastIndexOf(")")).split(" ")[20]}`;
}
