import { randomBytes } from "node:crypto";
import { basename, dirname, resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import {
  type ConfinedDirectory,
  decodeName,
  encodeName,
} from "../../platform/confined-directory.ts";
import type { ReadEntry } from "../../platform/tar/tar-reader.ts";
import type { TarEntry } from "../../platform/tar/tar-entry.ts";
import { staysInside } from "../../platform/tar/entry-path.ts";
import { writeSparse } from "../../platform/sparse-file.ts";
import type { Tally } from "./tally.ts";
import { openFenced } from "./workspace-fence.ts";

export interface HostTargetOptions {
  /** As the user wrote it. */
  path: string;
  directory: string;
  /** What the source is called, for a target that is a directory. */
  sourceName: string;
  /** The content of a directory is copied, without the directory. */
  isContent: boolean;
  /** Lets a copy take the place of what is there. */
  replaces: boolean;
  /** The sandbox's own, in which it can put links at any time. */
  workspace: string | undefined;
  tally: Tally;
}

interface Place {
  parent: ConfinedDirectory;
  /** Undefined when the copy's entries themselves come into `parent`. */
  name: string | undefined;
}

interface MadeDirectory {
  names: readonly string[];
  mode: number;
  modifiedSeconds: number;
}

/**
 * Where a copy comes to lie on this machine. All of it is made beside its place, in a directory of our own, and takes
 * its place at the end by one rename: what fails half way leaves what was there before.
 */
export class HostTarget implements Disposable {
  readonly #options: HostTargetOptions;
  readonly #directories: MadeDirectory[] = [];
  readonly #unfinished = `.cattlegrid-copy-${randomBytes(6).toString("hex")}`;
  #place: Place | undefined;
  #root: ConfinedDirectory | undefined;
  #held: { names: readonly string[]; directories: ConfinedDirectory[] } = {
    names: [],
    directories: [],
  };

  constructor(options: HostTargetOptions) {
    this.#options = options;
  }

  /** Decides by the first entry, which is the source itself, where it goes. Throws COPY_TARGET. */
  begin(source: TarEntry): void {
    const { replaces } = this.#options;
    const place = this.#choose(source);
    this.#place = place;
    if (place.name !== undefined) checkFree(place, source, replaces);
    place.parent.make(this.#unfinished);
    this.#root = place.parent.enter(this.#unfinished);
  }

  /** `names` lead from the source to the entry; the source itself has none. */
  async take(names: readonly string[], { entry, content }: ReadEntry): Promise<void> {
    const { tally } = this.#options;
    const name = names.at(-1);
    const path = this.#place?.name === undefined ? names : [this.#place.name, ...names];
    if (entry.type === "other") return tally.leaveOut(entry, "it is no file or directory");
    if (entry.type === "link" && (name === undefined || !staysInside(names, entry.target))) {
      return tally.leaveOut(entry, `it is a link to ${decodeName(entry.target)}`);
    }
    tally.count(entry);
    if (entry.type === "directory") return this.#makeDirectory(path, entry);
    const own = path.at(-1);
    if (own === undefined) throw refuse(entry, "it is no directory");
    const parent = this.#enter(path.slice(0, -1));
    if (parent.look(own) !== undefined) throw refuse(entry, "it comes twice");
    if (entry.type === "link") parent.makeLink(own, entry.target);
    else await writeSparse(await parent.createFile(own), entry, content);
  }

  /** Puts everything in its place. */
  commit(): void {
    const [place, root] = [this.#place, this.#root];
    if (place === undefined || root === undefined) return;
    const directories = this.#directories.toReversed();
    for (const { names, ...attributes } of directories) {
      if (names.length > 1) this.#enter(names).finish(attributes);
    }
    this.#release();
    const { replaces } = this.#options;
    const children = [...root.list()];
    if (place.name === undefined && !replaces) {
      const taken = children.find((child) => place.parent.look(child) !== undefined);
      if (taken !== undefined) throw targetTaken(place.parent, taken);
    }
    for (const child of children) moveInto(place.parent, child, { root, replaces });
    // Only now: a directory that its owner may not write cannot be moved.
    for (const { names, ...attributes } of directories) {
      const [name, ...below] = names;
      if (name === undefined || below.length > 0) continue;
      using made = place.parent.enter(name);
      made.finish(attributes);
    }
  }

  [Symbol.dispose](): void {
    this.#release();
    this.#root?.[Symbol.dispose]();
    this.#place?.parent.remove(this.#unfinished);
    this.#place?.parent[Symbol.dispose]();
  }

  #choose({ type }: TarEntry): Place {
    const { path, directory, sourceName, isContent, workspace } = this.#options;
    const full = resolve(directory, path);
    const target = openFenced(full, workspace);
    if (target !== undefined) {
      return { parent: target, name: isContent ? undefined : sourceName };
    }
    if (type !== "directory" && path.endsWith("/")) {
      throw new CattlegridError("COPY_TARGET", `${full} is no directory.`);
    }
    const above = openFenced(dirname(full), workspace);
    if (above === undefined) {
      throw new CattlegridError("COPY_TARGET", `${dirname(full)} is no directory.`);
    }
    return { parent: above, name: encodeName(basename(full)) };
  }

  #makeDirectory(path: readonly string[], entry: TarEntry): void {
    const { mode, modifiedSeconds } = entry;
    this.#directories.push({ names: path, mode, modifiedSeconds });
    const own = path.at(-1);
    if (own === undefined) return;
    const parent = this.#enter(path.slice(0, -1));
    if (parent.look(own) === undefined) parent.make(own);
  }

  /** Holds the directories on the way to the last entry, since entries come in the order of a walk. */
  #enter(names: readonly string[]): ConfinedDirectory {
    const { names: heldNames, directories } = this.#held;
    let common = 0;
    while (common < names.length && names[common] === heldNames[common]) common++;
    for (const left of directories.splice(common)) left[Symbol.dispose]();
    this.#held = { names: names.slice(0, common), directories };
    for (const name of names.slice(common)) {
      const above = directories.at(-1) ?? this.#root;
      if (above === undefined) throw new CattlegridError("INTERNAL", "a copy that has not begun");
      if (above.look(name) === undefined) above.make(name);
      directories.push(above.enter(name));
      this.#held = { names: names.slice(0, directories.length), directories };
    }
    const last = directories.at(-1) ?? this.#root;
    if (last === undefined) throw new CattlegridError("INTERNAL", "a copy that has not begun");
    return last;
  }

  #release(): void {
    for (const directory of this.#held.directories) directory[Symbol.dispose]();
    this.#held = { names: [], directories: [] };
  }
}

/** Never follows a link at the place itself: a rename takes the link away, not what it leads to. */
function moveInto(
  parent: ConfinedDirectory,
  name: string,
  { root, replaces }: { root: ConfinedDirectory; replaces: boolean },
): void {
  const isTaken = parent.look(name)?.isDirectory() === true;
  if (isTaken && !replaces) throw targetTaken(parent, name);
  const aside = `.replaced-${randomBytes(6).toString("hex")}`;
  if (isTaken || (replaces && root.look(name)?.isDirectory() && parent.look(name) !== undefined)) {
    parent.move(name, root, aside);
  }
  root.move(name, parent, name);
}

function checkFree({ parent, name = "" }: Place, source: TarEntry, replaces: boolean): void {
  const found = parent.look(name);
  if (found === undefined || replaces) return;
  // As with cp(1), a file takes the place of a file.
  if (source.type === "file" && !found.isDirectory()) return;
  throw targetTaken(parent, name);
}

function targetTaken(parent: ConfinedDirectory, name: string): CattlegridError {
  const path = `${parent.path}/${decodeName(name)}`;
  return new CattlegridError("COPY_TARGET", `${path} is there already; nothing was copied.`, {
    hint: "Name another target, or let it be replaced with --force.",
  });
}

function refuse({ name }: TarEntry, why: string): CattlegridError {
  const shown = JSON.stringify(decodeName(name));
  return new CattlegridError("COPY_REFUSED", `The entry ${shown} is refused: ${why}.`);
}
