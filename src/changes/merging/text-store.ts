import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../../platform/native/libc.ts";
import { toText } from "../text.ts";

/** Texts that both sides may once be merged from, each in a file that is named by its SHA-256. */
export class TextStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  put(content: Buffer): string {
    const hash = hashOf(content);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const building = join(this.#directory, `${hash}.new`);
    writeFileSync(building, content, { mode: 0o600 });
    renameSync(building, join(this.#directory, hash));
    return hash;
  }

  /** Undefined for one that is not kept, or is not what its name says. */
  get(hash: string): Buffer | undefined {
    try {
      const content = readFileSync(join(this.#directory, hash));
      return hashOf(content) === hash ? content : undefined;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  getText(hash: string): string | undefined {
    return toText(this.get(hash));
  }

  /** Removes every other one. */
  keepOnly(hashes: ReadonlySet<string>): void {
    keepOnly(this.#directory, hashes);
  }
}

/** Removes every file of a directory that is not named; one that is not there has none. */
export function keepOnly(directory: string, kept: ReadonlySet<string>): void {
  for (const name of namesIn(directory)) {
    if (!kept.has(name)) rmSync(join(directory, name), { force: true });
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function hashOf(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
