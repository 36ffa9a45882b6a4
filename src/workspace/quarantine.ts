import { randomUUID } from "node:crypto";
import { closeSync, constants, lstatSync, openSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { using } from "../platform/native/descriptor.ts";
import { hasErrno } from "../platform/native/libc.ts";
import { openBeneath } from "../platform/native/mount.ts";
import { runProcess } from "../platform/process.ts";
import { removeTree } from "../platform/tree-removal.ts";
import type { QuarantinedPath } from "../protocol/quarantine.ts";

const ENTRY = "entry.json";
const CONTENT = "content";

/**
 * Where what a session made for the host to run waits until a person decides: outside every workspace, in the state
 * directory, with what it was called. It outlives its sandbox.
 */
export class Quarantine {
  readonly #directory: string;

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, "quarantine");
  }

  /** Oldest first. */
  async list(owner: string): Promise<readonly QuarantinedPath[]> {
    const entries: QuarantinedPath[] = [];
    for (const id of await namesIn(this.#directory)) {
      const entry = await this.#read(id);
      if (entry?.owner === owner) entries.push(entry);
    }
    const order = ({ movedAt, path }: QuarantinedPath): string => `${movedAt} ${path}`;
    return entries.toSorted((left, right) => (order(left) < order(right) ? -1 : 1));
  }

  /** Moves a path out of its workspace. Undefined when nothing is there any more. */
  async take(found: Omit<QuarantinedPath, "id">): Promise<QuarantinedPath | undefined> {
    const entry = { ...found, id: randomUUID().slice(0, 8) };
    const place = join(this.#directory, entry.id);
    await mkdir(place, { recursive: true, mode: 0o700 });
    // First, so that a crash in between leaves something with a name.
    await writeFile(join(place, ENTRY), JSON.stringify(entry), { mode: 0o600 });
    const isMoved = await withParent(entry, (parent) =>
      move(join(parent, basename(entry.path)), join(place, CONTENT)),
    );
    if (isMoved === true) return entry;
    await removeTree(place);
    return undefined;
  }

  /** Puts a path back. Throws QUARANTINE_NOT_FOUND, QUARANTINE_PLACE_TAKEN. */
  async restore(owner: string, id: string): Promise<QuarantinedPath> {
    const entry = await this.#find(owner, id);
    const place = join(this.#directory, entry.id);
    const isMoved = await withParent(entry, async (parent) => {
      const target = join(parent, basename(entry.path));
      if (isThere(target)) throw placeTaken(entry);
      return move(join(place, CONTENT), target);
    });
    if (isMoved !== true) throw placeGone(entry);
    await removeTree(place);
    return entry;
  }

  /** Removes a path for good. Throws QUARANTINE_NOT_FOUND. */
  async remove(owner: string, id: string): Promise<void> {
    const entry = await this.#find(owner, id);
    await removeTree(join(this.#directory, entry.id));
  }

  async #find(owner: string, id: string): Promise<QuarantinedPath> {
    const entry = (await this.list(owner)).find((each) => each.id === id);
    if (entry !== undefined) return entry;
    throw new CattlegridError("QUARANTINE_NOT_FOUND", `Nothing is in quarantine as ${id}.`);
  }

  async #read(id: string): Promise<QuarantinedPath | undefined> {
    const place = join(this.#directory, id);
    if (!isThere(join(place, CONTENT))) return undefined;
    return JSON.parse(await readFile(join(place, ENTRY), "utf8")) as QuarantinedPath;
  }
}

/**
 * Hands on a path by which the directory that holds the entry is reached; undefined when it is not there.
 * SECURITY: the agent owns what lies below the workspace and may still run. A link that it puts on the way must not
 * make us move a file of the user's, so the directory is opened without following any and reached by its descriptor.
 */
async function withParent<T>(
  { workspace, path }: Pick<QuarantinedPath, "workspace" | "path">,
  act: (parent: string) => Promise<T>,
): Promise<T | undefined> {
  let parentFd: number;
  try {
    const rootFd = openSync("/", constants.O_RDONLY | constants.O_DIRECTORY);
    const parent = dirname(join(workspace, path)).slice(1);
    parentFd = using(rootFd, () => openBeneath(rootFd, parent));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
  try {
    // By our own number, as `self` would be whoever copies or removes.
    return await act(`/proc/${process.pid}/fd/${parentFd}`);
  } finally {
    closeSync(parentFd);
  }
}

/** False when there is nothing to move. */
async function move(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    if (!hasErrno(error, "EXDEV")) throw error;
  }
  const { code, stderr } = await runProcess(["/bin/cp", "-a", "--", from, to]);
  if (code !== 0) {
    await removeTree(to);
    throw new CattlegridError("DISK_FULL", `Cannot move ${from}: ${stderr.trim().slice(0, 200)}`);
  }
  await removeTree(from);
  return true;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function placeTaken({ workspace, path }: QuarantinedPath): CattlegridError {
  const message = `There is something at ${join(workspace, path)} now.`;
  return new CattlegridError("QUARANTINE_PLACE_TAKEN", message);
}

function placeGone({ workspace, path }: QuarantinedPath): CattlegridError {
  const message = `The directory of ${join(workspace, path)} is not there.`;
  return new CattlegridError("QUARANTINE_PLACE_TAKEN", message, {
    hint: "Make the directory, then restore again.",
  });
}
