import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
} from "node:fs";
import { createHash } from "node:crypto";
import { hasErrno } from "../platform/native/libc.ts";
import {
  openBelow,
  openRoot,
  readAttribute,
  type BeneathDirectory,
  type Place,
} from "../platform/native/beneath.ts";

/** What lies at a path of a tree, itself and not where it leads. */
export interface TreeEntry {
  kind: "file" | "directory" | "link" | "other";
  /** Permission bits, 0o0000 to 0o7777. */
  mode: number;
  size: number;
  /** Of a link. */
  target?: string;
  /** Device number 0:0 of a character device: overlayfs's mark of a deletion. */
  isWhiteout: boolean;
  /** Device and inode; the same after a move. */
  identity: string;
  /** Changes with content, size and permissions, not with a move. */
  stamp: string;
  changedAtNs: bigint;
  uid: number;
  gid: number;
}

export interface Listing {
  names: readonly string[];
  /** Names that are not UTF-8, as they look. */
  undecodable: readonly string[];
}

const CHUNK_BYTES_MAX = 256 * 1024;
const CHUNK_BYTES_MIN = 2048;
const ABSENT = ["ENOENT", "ENOTDIR", "ELOOP"];

/**
 * A directory tree that somebody else may be changing. SECURITY: every access starts from a descriptor of the root and follows no
 * link, neither on the way nor at the end, so whoever swaps a directory for a link gets an absence and not a file of the
 * host's. Calls are synchronous and short: a hundred thousand of them through libuv's pool would take twenty times as long.
 */
export class Tree {
  readonly root: BeneathDirectory;
  #last: { path: string; directory: BeneathDirectory | undefined } | undefined;

  constructor(path: string) {
    this.root = openRoot(path);
  }

  close(): void {
    this.#forget();
    this.root.close();
  }

  /** Drops what it knows of directories: somebody has moved one. */
  refresh(): void {
    this.#forget();
  }

  /** Undefined for what does not exist, and for what lies below a link. */
  look(path: string): TreeEntry | undefined {
    const place = this.place(path);
    return place === undefined ? undefined : lookAt(place);
  }

  list(path: string): Listing {
    const found = this.#readNames(path) ?? [];
    const decoded = found.map((name) => ({ name, text: name.toString("utf8") }));
    const isText = ({ name, text }: (typeof decoded)[number]): boolean =>
      Buffer.from(text).equals(name);
    return {
      names: decoded
        .filter(isText)
        .map(({ text }) => text)
        .sort(),
      undecodable: decoded.filter((each) => !isText(each)).map(({ text }) => text),
    };
  }

  /** False for a directory that may not be read, or is none. */
  canList(path: string): boolean {
    return this.#readNames(path) !== undefined;
  }

  attribute(path: string, name: string): string | undefined {
    const place = this.place(path);
    return place && readAttribute(place.directory.entry(place.name), name);
  }

  /** A file's bytes, at most `limit`; undefined when it is none, is larger, or cannot be read. */
  read(path: string, limit: number): Buffer | undefined {
    return this.withFile(path, (fd, size) => {
      if (size > limit) return undefined;
      const content = Buffer.alloc(size);
      const length = readSync(fd, content, 0, size, 0);
      return content.subarray(0, length);
    });
  }

  /** SHA-256 of a file's content; undefined when it is no file or cannot be read. */
  hash(path: string): string | undefined {
    return this.withFile(path, (fd, size) => {
      const hash = createHash("sha256");
      const chunk = allocateChunk(size);
      for (;;) {
        const length = readSync(fd, chunk, 0, chunk.length, null);
        if (length === 0) return hash.digest("hex");
        hash.update(chunk.subarray(0, length));
      }
    });
  }

  /** An open file for its reader to close; undefined as with `read`. */
  open(path: string): number | undefined {
    const place = this.place(path);
    const fd = place && openPlain(place);
    if (fd === undefined || fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    return undefined;
  }

  /** SECURITY: a pipe or device put in the file's place is told by what was opened, before it is read. */
  withFile<T>(path: string, use: (fd: number, size: number) => T): T | undefined {
    const place = this.place(path);
    if (place === undefined) return undefined;
    const fd = openPlain(place);
    if (fd === undefined) return undefined;
    try {
      const found = fstatSync(fd);
      return found.isFile() ? use(fd, found.size) : undefined;
    } finally {
      closeSync(fd);
    }
  }

  place(path: string): Place | undefined {
    const end = path.lastIndexOf("/");
    const directory = this.directory(end === -1 ? "" : path.slice(0, end));
    return directory && { directory, name: path.slice(end + 1) };
  }

  directory(path: string): BeneathDirectory | undefined {
    if (path === "") return this.root;
    if (this.#last?.path === path) return this.#last.directory;
    this.#forget();
    const directory = openBelow(this.root, path);
    this.#last = { path, directory };
    return directory;
  }

  #readNames(path: string): Buffer[] | undefined {
    const directory = this.directory(path);
    if (directory === undefined) return undefined;
    try {
      return readdirSync(directory.entry("."), { encoding: "buffer" });
    } catch (error) {
      if (hasErrno(error, "EACCES", "ENOENT")) return undefined;
      throw error;
    }
  }

  #forget(): void {
    this.#last?.directory?.close();
    this.#last = undefined;
  }
}

/** Room to read a file of that size piece by piece; most are small, and large room for each costs more than reading it. */
export function allocateChunk(size: number): Buffer {
  return Buffer.allocUnsafe(Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, size)));
}

export function lookAt({ directory, name }: Place): TreeEntry | undefined {
  const path = directory.entry(name);
  try {
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (found === undefined) return undefined;
    const kind = kindOf(found);
    return {
      kind,
      mode: Number(found.mode & 0o7777n),
      size: Number(found.size),
      ...(kind === "link" ? { target: readlinkSync(path) } : {}),
      isWhiteout: found.isCharacterDevice() && found.rdev === 0n,
      identity: `${found.dev}:${found.ino}`,
      stamp: [kind, found.ino, found.size, found.mtimeNs, found.mode].join(":"),
      changedAtNs: found.ctimeNs,
      uid: Number(found.uid),
      gid: Number(found.gid),
    };
  } catch (error) {
    if (hasErrno(error, ...ABSENT, "EINVAL", "EACCES")) return undefined;
    throw error;
  }
}

function openPlain({ directory, name }: Place): number | undefined {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return openSync(directory.entry(name), flags);
  } catch (error) {
    if (hasErrno(error, ...ABSENT, "EACCES", "ENXIO", "EPERM")) return undefined;
    throw error;
  }
}

function kindOf(found: BigIntStats): TreeEntry["kind"] {
  if (found.isSymbolicLink()) return "link";
  if (found.isDirectory()) return "directory";
  return found.isFile() ? "file" : "other";
}
