import { open, readdir, realpath } from "node:fs/promises";

export interface DirectoryEntry {
  name: string;
  kind: "file" | "directory" | "link" | "other";
}

/** How protected paths are looked for. A path that cannot be read holds nothing. */
export interface DirectoryReader {
  list(directory: string): Promise<readonly DirectoryEntry[]>;
  /** The first 256 KiB. */
  readText(file: string): Promise<string>;
  /** Where a link leads; undefined when nowhere. */
  resolve(path: string): Promise<string | undefined>;
}

const TEXT_BYTES_MAX = 256 * 1024;
/** O_PATH, which Node does not name. */
const PATH_ONLY = 0o10000000;
const UNREADABLE = new Set(["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "EISDIR", "EPERM", "ENXIO"]);

/** Reads each directory once: make one per look. */
export function createDirectoryReader(): DirectoryReader {
  const lists = new Map<string, Promise<readonly DirectoryEntry[]>>();
  return {
    list(directory) {
      const known = lists.get(directory);
      if (known !== undefined) return known;
      const listing = unlessUnreadable(() => readEntries(directory), []);
      lists.set(directory, listing);
      return listing;
    },
    readText: (file) => unlessUnreadable(() => readStart(file), ""),
    resolve: (path) => unlessUnreadable(() => realpath(path), undefined),
  };
}

async function readEntries(directory: string): Promise<readonly DirectoryEntry[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.map((entry) => {
    if (entry.isSymbolicLink()) return { name: entry.name, kind: "link" };
    if (entry.isDirectory()) return { name: entry.name, kind: "directory" };
    return { name: entry.name, kind: entry.isFile() ? "file" : "other" };
  });
}

/**
 * SECURITY: whoever made the workspace chose what lies there. Opening a pipe would wait for ever on a thread that all
 * files need, and opening a device can do things, so first a handle that only finds out what it is.
 */
async function readStart(file: string): Promise<string> {
  await using place = await open(file, PATH_ONLY);
  if (!(await place.stat()).isFile()) return "";
  await using handle = await open(`/proc/self/fd/${place.fd}`);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(TEXT_BYTES_MAX), 0, TEXT_BYTES_MAX);
  return buffer.toString("utf8", 0, bytesRead);
}

async function unlessUnreadable<T>(read: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (UNREADABLE.has(String((error as NodeJS.ErrnoException).code))) return otherwise;
    throw error;
  }
}
