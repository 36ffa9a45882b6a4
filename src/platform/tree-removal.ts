import { lstat } from "node:fs/promises";
import { CattlegridError } from "../errors/error.ts";
import { runProcess } from "./process.ts";

/** SECURITY: root of a namespace in which there are the user's ids and no others; only this one command runs in it. */
const AS_ALL_OWN = ["unshare", "--user", "--map-root-user", "--map-auto", "--"];

/**
 * Removes a file or directory with all below, whoever made it whatever it is; absent is success. rm(1) and chmod(1) do
 * the work: they do not keep this process busy with many files, have ended when they report a failure, follow no
 * link, and go down to any depth, where a path would be longer than the system takes.
 */
export async function removeTree(path: string): Promise<void> {
  const remove = ["/bin/rm", "-rf", "--", path];
  if ((await runProcess(remove)).code === 0) return;
  // Overlay work directories have mode 000, and Go's module cache forbids writing. SECURITY: given a link, chmod
  // would change what it leads to, and a link needs no rights of its own to be removed.
  if ((await lstat(path)).isDirectory())
    await runProcess(["/bin/chmod", "-R", "u+rwx", "--", path]);
  if ((await runProcess(remove)).code === 0) return;
  // What root inside a sandbox of an ordinary user's made belongs to the user's subordinate ids.
  const { code, stderr } = await runProcess(
    process.getuid?.() === 0 ? remove : [...AS_ALL_OWN, ...remove],
  );
  if (code === 0) return;
  const [why = ""] = stderr.split("\n", 1);
  throw new CattlegridError("INTERNAL", `Cannot remove ${path}: ${why}`);
}
