import { closeSync, openSync } from "node:fs";
import koffi from "koffi";
import { checkCall, hasErrno, libc } from "./libc.ts";
import { openBeneath } from "./mount.ts";

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
/** O_PATH, which Node does not name. */
const PATH_ONLY = 0o10000000;
const O_DIRECTORY = 0o200000;
const ATTRIBUTE_BYTES_MAX = 64;

const renameat2 = libc.func(
  "int renameat2(int fromFd, const char *from, int toFd, const char *to, uint flags)",
);
const lgetxattr = libc.func(
  "long lgetxattr(const char *path, const char *name, void *value, size_t size)",
);
const syncfs = libc.func("int syncfs(int fd)");

/** A directory that no link can lead out of. Its owner closes it. */
export interface BeneathDirectory {
  fd: number;
  /** A path that reaches the entry of this name, which must hold no slash, wherever the directory now lies. */
  entry(name: string): string;
  close(): void;
}

/** Opens an absolute path without following any link on the way. */
export function openRoot(path: string): BeneathDirectory {
  const rootFd = openSync("/", PATH_ONLY | O_DIRECTORY);
  try {
    return describe(openBeneath(rootFd, path.slice(1)));
  } finally {
    closeSync(rootFd);
  }
}

/** As `openRoot`, of a path relative to `directory`; undefined when there is no such directory without links. */
export function openBelow(directory: BeneathDirectory, path: string): BeneathDirectory | undefined {
  try {
    return describe(openBeneath(directory.fd, `${path}/.`));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES")) return undefined;
    throw error;
  }
}

function describe(fd: number): BeneathDirectory {
  return {
    fd,
    entry: (name) => `/proc/self/fd/${fd}/${name}`,
    close: () => closeSync(fd),
  };
}

export interface Place {
  directory: BeneathDirectory;
  name: string;
}

/** Moves an entry to a name that must be free. Never follows a link. */
export function moveEntry(from: Place, to: Place): void {
  rename(from, to, RENAME_NOREPLACE);
}

/** Puts each of two entries in the other's place, in one step. */
export function exchangeEntries(one: Place, other: Place): void {
  rename(one, other, RENAME_EXCHANGE);
}

function rename(from: Place, to: Place, flags: number): void {
  const result = renameat2(from.directory.fd, from.name, to.directory.fd, to.name, flags);
  checkCall(result, `move ${from.name}`);
}

/** The value of an extended attribute of the entry itself; undefined when it has none, or one of over 64 bytes. */
export function readAttribute(path: string, name: string): string | undefined {
  const value = Buffer.alloc(ATTRIBUTE_BYTES_MAX);
  const length = Number(lgetxattr(path, name, value, value.length));
  if (length >= 0) return value.toString("latin1", 0, length);
  return koffi.errno() === koffi.os.errno["ERANGE"] ? "" : undefined;
}

/** Has the file system that `fd` lies on write everything to the disk. */
export function synchronise(fd: number): void {
  checkCall(syncfs(fd), "write to the disk");
}
