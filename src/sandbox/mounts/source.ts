import { constants, openSync } from "node:fs";
import { CattlegridError } from "../../errors/error.ts";
import { using } from "../../platform/native/descriptor.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import { cloneTreeOf, openBeneath, setAttributes } from "../../platform/native/mount.ts";

/**
 * SECURITY: the path was judged before, and an agent may own a directory on the way to it, as when one workspace
 * lies in another. A link put there since must not choose what we lay into the sandbox.
 */
export function cloneSource(source: string): number {
  const rootFd = openSync("/", constants.O_RDONLY | constants.O_DIRECTORY);
  return using(rootFd, () => using(openBeneath(rootFd, source.slice(1)), cloneTreeOf));
}

/** Lets the files of a tree appear under the ids of a user namespace. Throws FILE_SYSTEM_UNSUITABLE. */
export function setIdMap(treeFd: number, idMapFd: number, source: string): void {
  try {
    setAttributes(treeFd, { idMapFd });
  } catch (error) {
    if (!hasErrno(error, "EINVAL", "EPERM", "EOPNOTSUPP", "ENOSYS")) throw error;
    throw new CattlegridError(
      "FILE_SYSTEM_UNSUITABLE",
      `The file system of ${source}, or one mounted below it, cannot show files under other owners`,
      {
        hint: "As root, use a workspace on ext4, xfs or btrfs; or run Cattlegrid as an ordinary user.",
        cause: error,
      },
    );
  }
}
