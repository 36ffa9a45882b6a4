import { closeSync } from "node:fs";
import { checkCall, libc, systemCall } from "./libc.ts";

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;

const MOUNT_FLAGS: Readonly<Record<string, number>> = { ro: 0x1, rw: 0, nosuid: 0x2, nodev: 0x4 };
const ATTRIBUTES = { readonly: 0x1, noSetuid: 0x2, noDevices: 0x4 };
const MOUNT_ATTR_IDMAP = 0x00100000;
const MS_PRIVATE = 0x40000n;

const mount = libc.func(
  "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
);
const umount2 = libc.func("int umount2(const char *target, int flags)");
const openTree = systemCall<[number, string, number]>(428, ["int", "str", "uint"]);
const moveMount = systemCall<[number, string, number, string, number]>(429, [
  "int",
  "str",
  "int",
  "str",
  "uint",
]);
const openat2 = systemCall<[number, string, Buffer, number]>(437, [
  "int",
  "str",
  "void*",
  "size_t",
]);
const mountSetattr = systemCall<[number, string, number, Buffer, number]>(442, [
  "int",
  "str",
  "uint",
  "void*",
  "size_t",
]);

const STATX_ATTR_MOUNT_ROOT = 0x2000n;
const ST_RDONLY = 1n;
const statx = libc.func(
  "int statx(int directory, const char *path, int flags, uint mask, void *result)",
);
const fstatvfs = libc.func("int fstatvfs(int fd, void *result)");

export interface MountAttributes {
  readonly?: boolean;
  noSetuid?: boolean;
  noDevices?: boolean;
  /** Mounts made later at the original stay away. */
  isPrivate?: boolean;
  /** A user namespace whose id map the mount takes on; real root only. */
  idMapFd?: number;
}

/** Mounts a new, empty file system in memory. `options` are those of mount(8) for tmpfs. */
export function mountMemory(target: string, options: string): void {
  checkCall(mount("none", target, "tmpfs", 0, options), `mount memory on ${target}`);
}

/** Mounts an overlay; `options` as mount(8) takes them. */
export function mountOverlay(target: string, options: readonly string[]): void {
  const flags = options.reduce((sum, option) => sum | (MOUNT_FLAGS[option] ?? 0), 0);
  const data = options.filter((option) => MOUNT_FLAGS[option] === undefined).join(",");
  checkCall(mount("overlay", target, "overlay", flags, data), `mount an overlay on ${target}`);
}

/** Copies the mount at `path`, with everything mounted below, into a tree attached nowhere; returns its fd. */
export function cloneTree(path: string): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW;
  return checkCall(openTree(AT_FDCWD, path, flags), `copy the mount at ${path}`);
}

/** As `cloneTree`, of what an open file or directory refers to. */
export function cloneTreeOf(fd: number): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
  return checkCall(openTree(fd, "", flags), "copy a mount");
}

/** Sets attributes on a mount and everything mounted below it. */
export function setAttributes(treeFd: number, attributes: MountAttributes): void {
  const { idMapFd } = attributes;
  let set = idMapFd === undefined ? 0 : MOUNT_ATTR_IDMAP;
  if (attributes.readonly) set |= ATTRIBUTES.readonly;
  if (attributes.noSetuid) set |= ATTRIBUTES.noSetuid;
  if (attributes.noDevices) set |= ATTRIBUTES.noDevices;
  const structure = Buffer.alloc(32);
  structure.writeBigUInt64LE(BigInt(set), 0);
  structure.writeBigUInt64LE(attributes.isPrivate ? MS_PRIVATE : 0n, 16);
  structure.writeBigUInt64LE(BigInt(idMapFd ?? 0), 24);
  const flags = AT_EMPTY_PATH | AT_RECURSIVE;
  checkCall(mountSetattr(treeFd, "", flags, structure, structure.length), "set mount attributes");
}

/** Attaches a tree over an existing directory or file. */
export function attachTree(treeFd: number, target: string): void {
  const result = moveMount(treeFd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
  checkCall(result, `attach a mount at ${target}`);
}

/** As `attachTree`, over what an open file or directory refers to. */
export function attachTreeTo(treeFd: number, targetFd: number): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  checkCall(moveMount(treeFd, "", targetFd, "", flags), "attach a mount");
}

/**
 * Opens `path` below `directoryFd` without following any symbolic link and without leaving it.
 * SECURITY: the agent owns what lies below, so a link there must never choose what we mount.
 */
export function openBeneath(directoryFd: number, path: string): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH), 16);
  return checkCall(openat2(directoryFd, path, how, how.length), `open ${path}`);
}

/** Whether what an open file or directory refers to is the root of a mount, and whether that mount is read-only. */
export function inspectMountOf(fd: number): { isMountPoint: boolean; readonly: boolean } {
  const file = Buffer.alloc(256);
  checkCall(statx(fd, "", AT_EMPTY_PATH, 0, file), "look at a mount");
  const fileSystem = Buffer.alloc(256);
  checkCall(fstatvfs(fd, fileSystem), "look at a file system");
  return {
    isMountPoint: (file.readBigUInt64LE(8) & STATX_ATTR_MOUNT_ROOT) !== 0n,
    readonly: (fileSystem.readBigUInt64LE(72) & ST_RDONLY) !== 0n,
  };
}

/** Detaches the mount at `target` with everything below it. */
export function detachMount(target: string): void {
  checkCall(umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW), `detach the mount at ${target}`);
}

/** Lays `source` over `target` with these attributes. */
export function bindTree(source: string, target: string, attributes: MountAttributes = {}): void {
  const tree = cloneTree(source);
  try {
    setAttributes(tree, attributes);
    attachTree(tree, target);
  } finally {
    closeSync(tree);
  }
}
