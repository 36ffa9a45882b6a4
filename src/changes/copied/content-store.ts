import { createHash, randomBytes, type Hash } from "node:crypto";
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { hasErrno } from "../../platform/native/libc.ts";
import { writeSparse } from "../../platform/sparse-file.ts";
import type { TarEntry } from "../../platform/tar/tar-entry.ts";
import { keepOnly } from "../merging/text-store.ts";

/**
 * Contents of files, each in a file that is named by its SHA-256. SECURITY: what a sandbox calls its files is never a name on this
 * machine's disk, so that no name, link or directory in an archive can lead anywhere.
 */
export class ContentStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Keeps the content of an entry of an archive, and gives its hash. */
  async put(entry: TarEntry, content: AsyncIterable<Buffer>): Promise<string> {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    const building = join(this.directory, `${randomBytes(12).toString("hex")}.new`);
    try {
      const hash = createHash("sha256");
      const file = await open(building, "wx", 0o600);
      await writeSparse(file, { ...entry, mode: 0o600 }, hashing(content, hash));
      const name = hash.digest("hex");
      renameSync(building, join(this.directory, name));
      return name;
    } finally {
      rmSync(building, { force: true });
    }
  }

  /** An open file for its reader to close; undefined when it is not kept. */
  open(hash: string): number | undefined {
    try {
      return openSync(join(this.directory, hash), "r");
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** Undefined for one that is not kept, or has more than `limit` bytes. */
  read(hash: string, limit: number): Buffer | undefined {
    const fd = this.open(hash);
    if (fd === undefined) return undefined;
    try {
      const { size } = fstatSync(fd);
      if (size > limit) return undefined;
      const content = Buffer.alloc(size);
      return content.subarray(0, readSync(fd, content, 0, size, 0));
    } finally {
      closeSync(fd);
    }
  }

  /** Removes every other one. */
  keepOnly(hashes: ReadonlySet<string>): void {
    keepOnly(this.directory, hashes);
  }
}

async function* hashing(content: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
}
