import {
  chownSync,
  constants,
  mkdirSync,
  openSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { using } from "../../../../platform/native/descriptor.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import {
  attachTree,
  detachMount,
  mountOverlay,
  setAttributes,
} from "../../../../platform/native/mount.ts";
import {
  ROOT_OVERLAY,
  sandboxMemory,
  type KeeperSetup,
  type SandboxPlan,
  type TreeMount,
  type TreePlan,
  VOID,
} from "./message.ts";
import { cloneSource, setIdMap } from "../../../mounts/source.ts";
import { mountsBelow } from "./mount-table.ts";
import { maskPaths, protectPaths, type UnprotectedPath } from "../../../mounts/protection.ts";

export interface OpenedRoot {
  mounts: readonly TreeMount[];
  unprotected: readonly UnprotectedPath[];
}

/** Makes the mount points of a sandbox in memory and lays the host's trees where the runtime finds them. */
export function openRootTree(
  plan: SandboxPlan,
  owner: KeeperSetup["owner"],
  idMaps: ReadonlyMap<string, number>,
): OpenedRoot {
  const memory = sandboxMemory(plan.sandbox);
  const root = join(memory, "root");
  const own = (path: string): void => chownSync(path, owner.uid, owner.gid);
  mkdirSync(root, { recursive: true });
  own(root);
  for (const directory of plan.directories) {
    mkdirSync(join(root, directory));
    own(join(root, directory));
  }
  for (const { name, target } of plan.links) symlinkSync(target, join(root, name));
  const unprotected = plan.trees.flatMap((tree) => layTree(tree, join(memory, tree.name), idMaps));
  layRoot(plan, memory);
  return { mounts: listMounts(memory), unprotected };
}

/** The mount points lie over everything else, so that none has to be made in what the sandbox writes. */
function layRoot({ root }: SandboxPlan, memory: string): void {
  if (root === undefined) return;
  const lower = root.lower.map((path) => (path.startsWith("/") ? path : join(memory, path)));
  const target = join(memory, ROOT_OVERLAY);
  mkdirSync(target);
  mountOverlay(target, [
    "nosuid",
    "nodev",
    "userxattr",
    `lowerdir=${[join(memory, "root"), ...lower].join(":")}`,
    `upperdir=${root.writable}/upper`,
    `workdir=${root.writable}/work`,
  ]);
}

function listMounts(memory: string): readonly TreeMount[] {
  return mountsBelow(memory).map(({ path, readonly }) => {
    const [tree = "", ...below] = path.slice(memory.length + 1).split("/");
    return { tree, path: below.join("/"), readonly };
  });
}

/** The runtime has copied the mounts into the sandbox's own namespace: the keeper's are no longer needed. */
export function detachTrees(plan: SandboxPlan): void {
  for (const name of mountedNames(plan)) {
    const target = join(sandboxMemory(plan.sandbox), name);
    try {
      detachMount(target);
    } catch (error) {
      // EINVAL, ENOENT: not mounted, or not even made, because opening failed half way.
      if (!hasErrno(error, "EINVAL", "ENOENT")) throw error;
    }
  }
}

/**
 * SECURITY: removes by name what `openRootTree` made and never recursively, so that a mount which is still
 * there, such as the user's workspace, makes this fail instead of being emptied.
 */
export function removeRootTree(plan: SandboxPlan): void {
  detachTrees(plan);
  const memory = sandboxMemory(plan.sandbox);
  const root = join(memory, "root");
  for (const { name } of plan.links) unlessAbsent(() => unlinkSync(join(root, name)));
  for (const directory of plan.directories.toReversed()) {
    unlessAbsent(() => rmdirSync(join(root, directory)));
  }
  unlessAbsent(() => rmdirSync(root));
  for (const name of mountedNames(plan)) unlessAbsent(() => rmdirSync(join(memory, name)));
  unlessAbsent(() => rmdirSync(memory));
}

/** The overlay before what it lies on. */
function mountedNames({ trees, root }: SandboxPlan): readonly string[] {
  return [...(root === undefined ? [] : [ROOT_OVERLAY]), ...trees.map(({ name }) => name)];
}

function unlessAbsent(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}

export function layTree(
  tree: TreePlan,
  target: string,
  idMaps: ReadonlyMap<string, number>,
): readonly UnprotectedPath[] {
  mkdirSync(target);
  using(cloneSource(tree.source), (treeFd) => {
    const idMapFd = tree.idMap === undefined ? undefined : idMaps.get(tree.idMap);
    setAttributes(treeFd, { noSetuid: true, noDevices: true, readonly: tree.readonly });
    if (idMapFd !== undefined) setIdMap(treeFd, idMapFd, tree.source);
    attachTree(treeFd, target);
  });
  const targetFd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
  return using(targetFd, () => {
    maskPaths(targetFd, tree.maskedPaths ?? [], VOID);
    return protectPaths(targetFd, tree.protectedPaths);
  });
}
