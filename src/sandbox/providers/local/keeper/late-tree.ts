import { chownSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { using } from "../../../../platform/native/descriptor.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import {
  attachTreeTo,
  cloneTree,
  openBeneath,
  setAttributes,
} from "../../../../platform/native/mount.ts";
import type { UnprotectedPath } from "../../../mounts/protection.ts";
import { actAs } from "../../../../platform/native/identity.ts";
import { visitMounts } from "../../../mounts/visit.ts";
import { sandboxMemory, type KeeperSetup, type LatePlan, type SandboxPlan } from "./message.ts";
import { detachTrees, layTree } from "./root-tree.ts";

export interface LateContext {
  owner: KeeperSetup["owner"];
  idMaps: ReadonlyMap<string, number>;
  /** Of the sandbox's first process. */
  initFd: number;
  /** The keeper's own mount namespace. */
  homeFd: number;
}

export interface LaidTree {
  /** With what was made for it, so that all of it is removed with the sandbox. */
  plan: SandboxPlan;
  unprotected: readonly UnprotectedPath[];
}

/**
 * Lays a tree into a sandbox that runs already, made ready first and then moved in as a whole.
 * SECURITY: it arrives with its owner map, read-only parts and masks in place, so that no moment shows it without them;
 * its place is opened without following a link, below directories that are not the agent's.
 */
export function layLateTree(
  plan: SandboxPlan,
  { tree, path, place }: NonNullable<LatePlan["workspace"]>,
  context: LateContext,
): LaidTree {
  const memory = sandboxMemory(plan.sandbox);
  const made =
    place === "root" ? makeDirectories(join(memory, "root"), path.slice(1), context.owner) : [];
  const extended = {
    ...plan,
    directories: [...plan.directories, ...made],
    trees: [...plan.trees, tree],
  };
  const unprotected = layTree(tree, join(memory, tree.name), context.idMaps);
  using(cloneTree(join(memory, tree.name)), (treeFd) => {
    setAttributes(treeFd, { isPrivate: true });
    visitMounts(context.initFd, context.homeFd, (rootFd) => {
      // The sandbox's own memory knows no ids but the sandbox's.
      if (place === "memory") actAs(context.owner, () => mkdirSync(path, { recursive: true }));
      using(openBeneath(rootFd, path.slice(1)), (placeFd) => attachTreeTo(treeFd, placeFd));
    });
  });
  detachTrees(extended);
  return { plan: extended, unprotected };
}

/** Each after its parent; only those that were not there. */
function makeDirectories(
  root: string,
  path: string,
  owner: KeeperSetup["owner"],
): readonly string[] {
  const parent = dirname(path);
  const above = parent === "." ? [] : makeDirectories(root, parent, owner);
  try {
    mkdirSync(join(root, path));
  } catch (error) {
    if (hasErrno(error, "EEXIST")) return above;
    throw error;
  }
  chownSync(join(root, path), owner.uid, owner.gid);
  return [...above, path];
}
