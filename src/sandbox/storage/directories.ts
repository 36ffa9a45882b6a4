import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { lstat, rename } from "node:fs/promises";
import { join } from "node:path";
import { assert, CattlegridError } from "../../errors/error.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import { removeTree } from "../../platform/tree-removal.ts";

/** Kinds of file system on which the kernel cannot keep an overlay's changes. */
const UNSUITABLE = new Map([
  [0x794c7630, "an overlay (as in a container)"],
  [0x6969, "NFS"],
  [0xff534d42, "a network share"],
  [0xfe534d42, "a network share"],
  [0x01021997, "a share of a virtual machine's host"],
  [0x65735546, "FUSE"],
]);
/** As the runtime writes them into mount options, ids must be free of what has a meaning there. */
const PLAIN_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
const TREES = ["home", "usr", "root", "etc"] as const;
/** What a sandbox on the host's own programs writes to. */
const HOST_TREES = ["home", "usr"] as const;
/** What a sandbox in mode `overlay` writes over its workspace, and since when. */
export const WORKSPACE = "workspace";
const BEGUN = "begun";

export interface Owner {
  uid: number;
  gid: number;
}

/** The directories of the provider on disk. */
export interface Directories {
  sandboxes: string;
  layers: string;
  /** What layers hold of root file systems, by the same names. */
  roots: string;
  /** Root file systems that are kept. */
  bases: string;
  /** Where removal of a tree begins, so that half a sandbox is never taken for one. */
  trash: string;
  subordinateFile: string;
}

export function directoriesOf(stateDirectory: string): Directories {
  return {
    sandboxes: join(stateDirectory, "sandboxes"),
    layers: join(stateDirectory, "layers"),
    roots: join(stateDirectory, "roots"),
    bases: join(stateDirectory, "bases"),
    trash: join(stateDirectory, "trash"),
    subordinateFile: join(stateDirectory, "subordinate-ids"),
  };
}

/**
 * SECURITY: only we may pass through the state directory itself; what lies in it can therefore let the
 * sandbox's ids through, which reach it by a mount and not by its path.
 */
export function openDirectories(stateDirectory: string): Directories {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  chmodSync(stateDirectory, 0o700);
  checkFileSystem(stateDirectory);
  const directories = directoriesOf(stateDirectory);
  const { sandboxes, layers, roots, bases, trash } = directories;
  for (const path of [sandboxes, layers, roots, bases, trash]) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }
  return directories;
}

function checkFileSystem(path: string): void {
  const kind = UNSUITABLE.get(statfsSync(path).type);
  if (kind === undefined) return;
  throw new CattlegridError(
    "FILE_SYSTEM_UNSUITABLE",
    `${path} lies on ${kind}, which cannot hold the changes of a sandbox.`,
  );
}

/** The first subordinate id of this state, fixed by the first use: files on disk carry it. */
export function fixSubordinateRange(file: string, proposed: number): number {
  try {
    writeFileSync(file, `${proposed}\n`, { flag: "wx" });
    return proposed;
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
  const first = Number(readFileSync(file, "utf8"));
  return Number.isSafeInteger(first) && first > 0 ? first : proposed;
}

export function checkId(id: string): void {
  assert(PLAIN_ID.test(id) && id.length <= 100, `the id ${JSON.stringify(id)} is not plain`);
}

/** A layer's directory name: its id with all but plain characters as `_hexadecimal_` bytes. */
export function layerName(layerId: string): string {
  return layerId.replaceAll(/[^A-Za-z0-9.-]|^\./gu, (character) =>
    [...Buffer.from(character)].map((byte) => `_${byte.toString(16).padStart(2, "0")}_`).join(""),
  );
}

export function layerIdOf(name: string): string {
  return decodeURIComponent(name.replaceAll(/_([0-9a-f]{2})_/g, "%$1"));
}

/**
 * Makes the directories of a sandbox, or finds them made; `trees` are what it writes to.
 * SECURITY: the uppers are what programs inside made of them, links in place of directories too. So in them
 * nothing is made or given away but before they have their names; we may be root.
 */
export function makeSandboxDirectories(
  directory: string,
  owner: Owner | undefined,
  trees: readonly WritableTree[] = HOST_TREES,
): void {
  const own = (path: string): void => {
    mkdirSync(path, { recursive: true });
    if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  };
  own(directory);
  for (const tree of trees) {
    own(join(directory, tree));
    own(join(directory, tree, "work"));
    makeUpper(tree, join(directory, tree, "upper"), own);
  }
}

/**
 * Makes the directories that take what is written over a workspace, or finds them made. `mode` is the workspace's own, as
 * the upper's is what shows inside. Changes of the host count from the moment that the file `begun` was written: the last start at
 * which nothing was changed inside.
 */
export function makeWorkspaceDirectories(
  directory: string,
  mode: number,
  owner: Owner | undefined,
): void {
  const parent = join(directory, WORKSPACE);
  const own = (path: string): void => {
    mkdirSync(path, { recursive: true });
    if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  };
  mkdirSync(parent, { recursive: true });
  const upper = join(parent, "upper");
  const isMade = lstatSync(upper, { throwIfNoEntry: false }) !== undefined;
  if (isMade && readdirSync(upper).length > 0) return;
  rmSync(join(parent, BEGUN), { force: true });
  writeFileSync(join(parent, BEGUN), "");
  if (isMade) return;
  own(join(parent, "work"));
  const building = `${upper}.new`;
  rmSync(building, { recursive: true, force: true });
  own(building);
  chmodSync(building, mode & 0o777);
  renameSync(building, upper);
}

/** A workspace's own permission bits. Throws WORKSPACE_MISSING. */
export function modeOf(workspace: string): number {
  const found = statSync(workspace, { throwIfNoEntry: false });
  if (found !== undefined) return found.mode & 0o777;
  throw new CattlegridError("WORKSPACE_MISSING", `${workspace} does not exist.`);
}

/** Undefined for a sandbox that has none. */
export function findWorkspaceUpper(
  directory: string,
): { upper: string; begunAtNs: bigint } | undefined {
  const parent = join(directory, WORKSPACE);
  const begun = lstatSync(join(parent, BEGUN), { throwIfNoEntry: false, bigint: true });
  const upper = join(parent, "upper");
  if (begun === undefined || !lstatSync(upper, { throwIfNoEntry: false })?.isDirectory()) {
    return undefined;
  }
  return { upper, begunAtNs: begun.mtimeNs };
}

export type WritableTree = (typeof TREES)[number];

function makeUpper(tree: WritableTree, upper: string, own: (path: string) => void): void {
  if (lstatSync(upper, { throwIfNoEntry: false }) !== undefined) return;
  const building = `${upper}.new`;
  rmSync(building, { recursive: true, force: true });
  own(building);
  if (tree === "home") chmodSync(building, 0o700);
  renameSync(building, upper);
}

/** The kernel leaves a directory of mode 000, on which a plain recursive removal of the state fails. */
export function openWorkDirectories(directory: string): void {
  for (const tree of [...TREES, WORKSPACE]) {
    const path = join(directory, tree, "work/work");
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) chmodSync(path, 0o700);
  }
}

/** Takes a tree out of its place at once, then removes it; absent is success. */
export async function discardTree(path: string, trash: string): Promise<void> {
  const doomed = join(trash, `${process.pid}-${Date.now()}-${Math.random().toString(36).slice(2)}`);
  try {
    await rename(path, doomed);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return;
    throw error;
  }
  await removeTree(doomed);
}

export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Turns what the operating system says about a full disk into DISK_FULL; other errors stay. */
export function explainDiskError(error: unknown, path: string): unknown {
  if (!hasErrno(error, "ENOSPC", "EDQUOT")) return error;
  return new CattlegridError("DISK_FULL", `The disk that holds ${path} is full.`, { cause: error });
}
