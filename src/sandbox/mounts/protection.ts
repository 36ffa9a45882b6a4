import { dirname } from "node:path";
import { using } from "../../platform/native/descriptor.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import {
  attachTreeTo,
  cloneTree,
  cloneTreeOf,
  inspectMountOf,
  openBeneath,
  setAttributes,
} from "../../platform/native/mount.ts";
import { visitMounts } from "./visit.ts";

/** A protected path, relative to its tree, that no mount covers: it is not there, or a symbolic link is on the way. */
export interface UnprotectedPath {
  path: string;
  why: "absent" | "link";
}

/**
 * Makes each path below a directory a read-only mount of itself, unless it is one already, and tells which cannot be.
 * SECURITY: a mount point cannot be renamed or removed in the namespace that sees it, but its parent
 * can, which would carry the protection away. So every directory between the directory and a
 * protected path is a mount point of its own as well.
 */
export function protectPaths(
  directoryFd: number,
  paths: readonly string[],
): readonly UnprotectedPath[] {
  const parents = new Set(paths.flatMap(parentsOf));
  const ordered = [...new Set([...parents, ...paths])].toSorted(
    (left, right) => left.split("/").length - right.split("/").length,
  );
  return ordered.flatMap((path) => {
    const why = cover(directoryFd, path, paths.includes(path));
    return why === undefined ? [] : [{ path, why }];
  });
}

/**
 * Lays an empty file, `voidFile`, over each path below a directory.
 * SECURITY: by a socket in the workspace a program inside would talk to one of the host's, past every policy.
 */
export function maskPaths(directoryFd: number, paths: readonly string[], voidFile: string): void {
  for (const path of paths) {
    try {
      using(openBeneath(directoryFd, path), (placeFd) =>
        using(cloneTree(voidFile), (voidFd) => {
          setAttributes(voidFd, { readonly: true });
          attachTreeTo(voidFd, placeFd);
        }),
      );
    } catch (error) {
      // Gone since it was found, or a link is on the way: then it is not reached by this path.
      if (!hasErrno(error, "ENOENT", "ELOOP", "ENOTDIR")) throw error;
    }
  }
}

/**
 * As `protectPaths` in the mount namespace of a running sandbox, where a program of the host may have replaced a
 * protected file, which detaches its mount. `directory` is a path inside.
 * SECURITY: what is opened inside is mounted onto itself, so a program inside that swaps it meanwhile gains nothing
 * but read-only files, and the mount keeps the owner map that the workspace has there.
 */
export function protectInside(
  processFd: number,
  homeFd: number,
  wanted: { directory: string; paths: readonly string[] },
): readonly UnprotectedPath[] {
  return visitMounts(processFd, homeFd, (rootFd) => {
    const directoryFd = openBeneath(rootFd, wanted.directory.slice(1));
    return using(directoryFd, () => protectPaths(directoryFd, wanted.paths));
  });
}

function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}

function cover(
  directoryFd: number,
  path: string,
  readonly: boolean,
): UnprotectedPath["why"] | undefined {
  try {
    using(openBeneath(directoryFd, path), (placeFd) => mountOntoItself(placeFd, readonly));
    return undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "absent";
    if (hasErrno(error, "ELOOP", "ENOTDIR")) return "link";
    throw error;
  }
}

function mountOntoItself(placeFd: number, readonly: boolean): void {
  const found = inspectMountOf(placeFd);
  if (found.isMountPoint && (found.readonly || !readonly)) return;
  using(cloneTreeOf(placeFd), (treeFd) => {
    if (readonly) setAttributes(treeFd, { readonly });
    attachTreeTo(treeFd, placeFd);
  });
}
