import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  fstatSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { assert } from "../errors/error.ts";
import { hasErrno } from "../platform/native/libc.ts";
import {
  openBelow,
  openRoot,
  synchronise,
  type BeneathDirectory,
  type Place,
} from "../platform/native/beneath.ts";
import type { Pace } from "../platform/pace.ts";
import { allocateChunk, lookAt, Tree, type TreeEntry } from "./tree.ts";

/** Where a staging directory lies. */
export interface StagingPlace {
  parent: string;
  name: string;
}

export interface Owner {
  uid: number;
  gid: number;
}

const NAME_CHARACTERS_MAX = 60;
const WRITE_NEW = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Beside the workspace, so that its user's tools never see it; within it when there the user may not write, or another file
 * system begins: from the one to the other nothing can be renamed.
 */
export function listStagingPlaces(workspace: string): readonly [StagingPlace, StagingPlace] {
  const mark = `cattlegrid-${randomBytes(6).toString("hex")}`;
  const name = `.${basename(workspace).slice(0, NAME_CHARACTERS_MAX)}.${mark}`;
  return [
    { parent: dirname(workspace), name },
    { parent: workspace, name: `.${mark}` },
  ];
}

function deviceOf(entry: TreeEntry | undefined): string | undefined {
  return entry?.identity.split(":")[0];
}

/** A directory that only we may enter, with everything that is to be put in place; flat. Its owner closes it. */
export class Staging {
  readonly directory: BeneathDirectory;
  readonly place: StagingPlace;
  readonly #parent: BeneathDirectory;

  private constructor(place: StagingPlace, parent: BeneathDirectory, directory: BeneathDirectory) {
    this.place = place;
    this.#parent = parent;
    this.directory = directory;
  }

  static make(place: StagingPlace): Staging {
    const parent = openRoot(place.parent);
    try {
      mkdirSync(parent.entry(place.name), { mode: 0o700 });
      return Staging.#open(place, parent) ?? assertOpened();
    } catch (error) {
      parent.close();
      throw error;
    }
  }

  /** As `make`; undefined where the user may not, or from where nothing can be renamed into the workspace. */
  static tryMake(place: StagingPlace, workspace: string): Staging | undefined {
    try {
      const staging = Staging.make(place);
      if (staging.#isOnDiskOf(workspace)) return staging;
      rmdirSync(staging.#parent.entry(place.name));
      staging.close();
      return undefined;
    } catch (error) {
      if (hasErrno(error, "EACCES", "EPERM", "EROFS", "ENAMETOOLONG")) return undefined;
      throw error;
    }
  }

  #isOnDiskOf(workspace: string): boolean {
    using opened = new DisposableStack();
    const tree = opened.adopt(new Tree(workspace), (each) => each.close());
    const own = lookAt({ directory: tree.root, name: "." });
    return deviceOf(lookAt({ directory: this.directory, name: "." })) === deviceOf(own);
  }

  /** Undefined when there is none any more. */
  static find(place: StagingPlace): Staging | undefined {
    const parent = openRoot(place.parent);
    const found = Staging.#open(place, parent);
    if (found === undefined) parent.close();
    return found;
  }

  static #open(place: StagingPlace, parent: BeneathDirectory): Staging | undefined {
    const directory = openBelow(parent, place.name);
    return directory && new Staging(place, parent, directory);
  }

  item(name: string): Place {
    return { directory: this.directory, name };
  }

  look(name: string): TreeEntry | undefined {
    return lookAt(this.item(name));
  }

  /** Copies an open file. Holes stay holes: a file that claims to be large fills no disk. */
  async copyFile(
    name: string,
    sourceFd: number,
    options: { mode: number; owner: Owner | undefined; pace: Pace },
  ): Promise<void> {
    const fd = openSync(this.directory.entry(name), WRITE_NEW, 0o600);
    try {
      const chunk = allocateChunk(fstatSync(sourceFd).size);
      let offset = 0;
      for (;;) {
        const length = readSync(sourceFd, chunk, 0, chunk.length, offset);
        if (length === 0) break;
        const part = chunk.subarray(0, length);
        if (!isZero(part)) writeAll(fd, part, offset);
        offset += length;
        await options.pace.next();
      }
      ftruncateSync(fd, offset);
      const { atime, mtime } = fstatSync(sourceFd);
      finish(fd, options);
      futimesSync(fd, atime, mtime);
    } finally {
      closeSync(fd);
    }
  }

  writeFile(
    name: string,
    content: Buffer,
    options: { mode: number; owner: Owner | undefined },
  ): void {
    const fd = openSync(this.directory.entry(name), WRITE_NEW, 0o600);
    try {
      writeAll(fd, content, 0);
      finish(fd, options);
    } finally {
      closeSync(fd);
    }
  }

  makeLink(name: string, target: string, owner: Owner | undefined): void {
    const path = this.directory.entry(name);
    symlinkSync(target, path);
    if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  }

  synchronise(): void {
    const fd = openSync(this.directory.entry("."), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      synchronise(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Removes it with all that is left in it, and closes it. */
  async remove(pace: Pace): Promise<void> {
    try {
      for (const name of readdirSync(this.directory.entry("."))) {
        await pace.next();
        unlinkSync(this.directory.entry(name));
      }
      rmdirSync(this.#parent.entry(this.place.name));
    } finally {
      this.close();
    }
  }

  close(): void {
    this.directory.close();
    this.#parent.close();
  }

  get path(): string {
    return join(this.place.parent, this.place.name);
  }
}

function assertOpened(): never {
  assert(false, "a directory that was just made cannot be opened");
}

/** SECURITY: the bits that make a program run as its owner never come out. */
function finish(fd: number, { mode, owner }: { mode: number; owner: Owner | undefined }): void {
  if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
  fchmodSync(fd, mode & 0o777);
}

function writeAll(fd: number, content: Buffer, offset: number): void {
  let written = 0;
  while (written < content.length) {
    written += writeSync(fd, content, written, content.length - written, offset + written);
  }
}

function isZero(part: Buffer): boolean {
  return part[0] === 0 && part.compare(part, 1, part.length, 0, part.length - 1) === 0;
}

/** As root, files come out as those of whoever owns the workspace; anybody else makes their own. */
export function ownerOf(host: Tree): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return lookAt({ directory: host.root, name: "." });
}
