import { mkdir, open, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile, syncDirectory } from "../platform/replaced-file.ts";
import { nameOfFile, placeName, VAULT_KINDS, type VaultKind, type VaultName } from "./name.ts";
import { readHeader, SEALED_HEADER_BYTES, type SealedHeader, valueBytes } from "./sealed-value.ts";

export interface SealedEntry extends SealedHeader {
  name: VaultName;
  kind: VaultKind;
  bytes: number;
}

/** The files of one vault: each value in one of its own, below the directory of its kind. */
export class SealedFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the directories. Idempotent. */
  async open(): Promise<void> {
    for (const folder of [...VAULT_KINDS, "locks"]) {
      await mkdir(join(this.#directory, folder), { recursive: true, mode: 0o700 });
    }
  }

  lockPath(name: VaultName): string {
    const { kind, file } = placeName(name);
    return join(this.#directory, "locks", `${kind}.${file}`);
  }

  async read(name: VaultName): Promise<Uint8Array | undefined> {
    return unlessAbsent(readFile(this.#path(name)));
  }

  /** Whoever calls holds the name's lock. */
  async write(name: VaultName, sealed: Uint8Array): Promise<void> {
    const { kind, file } = placeName(name);
    await replaceFile(this.#path(name), sealed, join(this.#directory, kind, `.${file}.new`));
  }

  async remove(name: VaultName): Promise<boolean> {
    const path = this.#path(name);
    const removed = await unlessAbsent(rm(path).then(() => true));
    if (removed === true) await syncDirectory(join(path, ".."));
    return removed ?? false;
  }

  async names(): Promise<readonly VaultName[]> {
    const found = await Promise.all(VAULT_KINDS.map((kind) => this.#namesOf(kind)));
    return found.flat();
  }

  /** Undefined when it has been removed meanwhile. Throws VAULT_CORRUPT, VAULT_TOO_NEW. */
  async look(name: VaultName): Promise<SealedEntry | undefined> {
    const file = await unlessAbsent(open(this.#path(name), "r"));
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(SEALED_HEADER_BYTES), {
        position: 0,
      });
      const header = readHeader(buffer.subarray(0, bytesRead), name);
      return { name, kind: placeName(name).kind, bytes: valueBytes(size), ...header };
    } finally {
      await file.close();
    }
  }

  async #namesOf(kind: VaultKind): Promise<VaultName[]> {
    const files = (await unlessAbsent(readdir(join(this.#directory, kind)))) ?? [];
    const names = files.sort().map((file) => nameOfFile(kind, file));
    return names.filter((name) => name !== undefined);
  }

  #path(name: VaultName): string {
    const { kind, file } = placeName(name);
    return join(this.#directory, kind, file);
  }
}

async function unlessAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
