import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import {
  type ConfinedDirectory,
  decodeName,
  encodeName,
} from "../../platform/confined-directory.ts";
import { endEntry, endTar, writeHeader, type WrittenEntry } from "../../platform/tar/tar-writer.ts";
import { DEPTH_MAX } from "../../platform/tar/entry-path.ts";
import type { Tally } from "./tally.ts";
import { openFenced } from "./workspace-fence.ts";

const CHUNK_BYTES = 64 * 1024;

export interface HostSource extends Disposable {
  name: string;
  kind: "file" | "directory";
  /** As a tar stream whose first entry is `name`. */
  stream(tally: Tally): AsyncGenerator<Buffer>;
}

export interface HostSourceOptions {
  path: string;
  directory: string;
  workspace: string | undefined;
}

/** Finds what is to be copied from this machine. Throws COPY_SOURCE, COPY_REFUSED. */
export function openHostSource({ path, directory, workspace }: HostSourceOptions): HostSource {
  const full = resolve(directory, path);
  const parent = openFenced(dirname(full), workspace);
  if (parent === undefined) throw missing(full);
  const name = encodeName(basename(full));
  try {
    const found = parent.look(name === "" ? "." : name);
    if (found === undefined) throw missing(full);
    const kind = found.isDirectory() ? "directory" : "file";
    if (kind === "file" && !found.isFile() && !found.isSymbolicLink()) {
      throw new CattlegridError("COPY_SOURCE", `${full} is no file and no directory.`);
    }
    return {
      name,
      kind,
      async *stream(tally) {
        yield* walk({ parent, name, path: name, depth: 0, tally });
        yield endTar();
      },
      [Symbol.dispose]: () => parent[Symbol.dispose](),
    };
  } catch (error) {
    parent[Symbol.dispose]();
    throw error;
  }
}

function missing(path: string): CattlegridError {
  return new CattlegridError("COPY_SOURCE", `${path} does not exist.`);
}

interface Step {
  parent: ConfinedDirectory;
  name: string;
  /** From the source's own name down. */
  path: string;
  depth: number;
  tally: Tally;
}

async function* walk(step: Step): AsyncGenerator<Buffer> {
  const { parent, name, path, tally } = step;
  const found = parent.look(name);
  // It was there a moment ago, and whoever took it away may.
  if (found === undefined) return;
  if (found.isDirectory()) yield* walkDirectory(step, found);
  else if (found.isSymbolicLink()) {
    const target = parent.readLink(name);
    yield count(tally, { ...describe(found), name: path, type: "link", target });
  } else {
    const file = await parent.openFile(name);
    if (file === undefined) tally.leaveOut({ name: path }, "it is no file or directory");
    else yield* readFile(file, path, tally);
  }
}

async function* walkDirectory(step: Step, found: Stats): AsyncGenerator<Buffer> {
  const { parent, name, path, depth, tally } = step;
  if (depth >= DEPTH_MAX) {
    const message = `${decodeName(path)} lies more than ${DEPTH_MAX} directories deep.`;
    throw new CattlegridError("COPY_TOO_LARGE", message);
  }
  using directory = parent.enter(name);
  yield count(tally, { ...describe(found), name: `${path}/`, type: "directory" });
  for (const child of directory.list()) {
    const below = { parent: directory, name: child, path: `${path}/${child}`, tally };
    yield* walk({ ...below, depth: depth + 1 });
  }
}

async function* readFile(file: FileHandle, path: string, tally: Tally): AsyncGenerator<Buffer> {
  try {
    const found = await file.stat();
    yield count(tally, { ...describe(found), name: path, type: "file", sizeBytes: found.size });
    for (let offset = 0; offset < found.size;) {
      const length = Math.min(CHUNK_BYTES, found.size - offset);
      const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
      if (bytesRead === 0) {
        const message = `${decodeName(path)} became shorter while it was copied; nothing was.`;
        throw new CattlegridError("COPY_FAILED", message);
      }
      offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    yield endEntry(found.size);
  } finally {
    await file.close();
  }
}

function describe({ mode, mtimeMs }: Stats): Omit<WrittenEntry, "name" | "type"> {
  return { mode, modifiedSeconds: mtimeMs / 1000, sizeBytes: 0, target: "" };
}

function count(tally: Tally, entry: WrittenEntry): Buffer {
  tally.count(entry);
  return writeHeader(entry);
}
