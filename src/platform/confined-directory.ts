import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  opendirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { CattlegridError } from "../errors/error.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Passing through a directory needs no right to list it. */
const O_PATH = 0o10000000;
const DIRECTORY = O_PATH | O_DIRECTORY | O_NOFOLLOW;

/**
 * A directory held by its descriptor, whatever becomes of its name. SECURITY: a program in a sandbox may rename and
 * replace what lies in a workspace at any moment. So every path here is one name below a held directory, and no name
 * is followed if it is a link: who swaps one for a link gets a refusal, never a write or a read elsewhere.
 * Names are bytes in latin1 spelling and hold no slash.
 */
export class ConfinedDirectory implements Disposable {
  readonly #fd: number;
  #isOpen = true;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static openRoot(): ConfinedDirectory {
    return new ConfinedDirectory(openSync("/", DIRECTORY));
  }

  /** Where it lies at this moment. */
  get path(): string {
    return readlinkSync(`/proc/self/fd/${this.#fd}`);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }

  /** Throws COPY_REFUSED for a link. */
  enter(name: string): ConfinedDirectory {
    return new ConfinedDirectory(this.#guard(name, (path) => openSync(path, DIRECTORY)));
  }

  make(name: string): void {
    mkdirSync(this.#at(name), 0o700);
  }

  /** Undefined when there is nothing of that name. A link is not followed. */
  look(name: string): Stats | undefined {
    return lstatSync(this.#at(name), { throwIfNoEntry: false });
  }

  readLink(name: string): string {
    return readlinkSync(this.#at(name), "buffer").toString("latin1");
  }

  makeLink(name: string, target: string): void {
    symlinkSync(Buffer.from(target, "latin1"), this.#at(name));
  }

  /** A new file; throws EEXIST where something is. */
  createFile(name: string): Promise<FileHandle> {
    return open(this.#at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  }

  /** Undefined for what is no regular file: a pipe is not waited for, a device not opened for its effects. */
  async openFile(name: string): Promise<FileHandle | undefined> {
    if (this.look(name)?.isFile() !== true) return undefined;
    const file = await open(this.#at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  }

  *list(): Generator<string> {
    // The type of the library knows no buffers here; the function does.
    const encoding = "latin1" as BufferEncoding;
    using directory = opendirSync(`/proc/self/fd/${this.#fd}`, { encoding });
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      yield entry.name;
    }
  }

  /** Into another held directory on the same file system; takes the place of a file or link there. */
  move(name: string, to: ConfinedDirectory, newName: string): void {
    renameSync(this.#at(name), to.#at(newName));
  }

  get modifiedSeconds(): number {
    return fstatSync(this.#fd).mtimeMs / 1000;
  }

  /** Permissions and time of the directory itself. */
  finish({ mode, modifiedSeconds }: { mode: number; modifiedSeconds: number }): void {
    const own = `/proc/self/fd/${this.#fd}/.`;
    lutimesSync(own, modifiedSeconds, modifiedSeconds);
    chmodSync(own, mode);
  }

  /** Whatever it is, and all below it. Absent is success. */
  remove(name: string): void {
    const found = this.look(name);
    if (found === undefined) return;
    if (!found.isDirectory()) return unlinkSync(this.#at(name));
    {
      using inner = this.enter(name);
      chmodSync(`/proc/self/fd/${inner.#fd}/.`, 0o700);
      for (const child of Array.from(inner.list())) inner.remove(child);
    }
    rmdirSync(this.#at(name));
  }

  #guard<T>(name: string, open: (path: Buffer) => T): T {
    try {
      return open(this.#at(name));
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code);
      if (code !== "ELOOP" && code !== "ENOTDIR") throw error;
      const message = `${decodeName(name)} is no directory, or was replaced by a link.`;
      throw new CattlegridError("COPY_REFUSED", message, { cause: error });
    }
  }

  #at(name: string): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#fd}/${name}`, "latin1");
  }
}

/** A name of bytes as text for a person. */
export function decodeName(name: string): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

/** A text as a name of bytes. */
export function encodeName(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
