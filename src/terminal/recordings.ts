import { randomBytes } from "node:crypto";
import { createReadStream, mkdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { CattlegridError } from "../errors/error.ts";
import { RecordingFile } from "../platform/recording-file.ts";
import { CastRecorder, encodeRemark } from "../protocol/asciicast.ts";
import type { TerminalSize } from "../protocol/process.ts";
import type { RecordingSummary } from "../protocol/recording.ts";

const EXTENSION = ".cast";
const ID = /^[\dTZ-]+-[0-9a-f]{6}$/;
/** What a recording without a terminal is laid out for. */
const SIZE_WITHOUT_TERMINAL: TerminalSize = { columns: 120, rows: 30 };

export interface RecordingOptions {
  sandboxId: string;
  title: string;
  /** Absent: pipes. */
  size?: TerminalSize;
}

/** One recording that is being made. */
export interface Recording {
  readonly id: string;
  output(bytes: Uint8Array): void;
  resize(size: TerminalSize): void;
  /** Resolves when it is on disk as a whole. Idempotent. */
  close(): Promise<void>;
}

/** Recordings on disk: one directory for each sandbox, outside of it and removed with it. */
export class Recordings {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** At once, so that the first byte is in it. */
  start({ sandboxId, title, size }: RecordingOptions): Recording {
    const directory = join(this.#directory, sandboxId);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const startedAt = new Date();
    const id = `${startedAt.toISOString().replaceAll(/[:.]/g, "-")}-${randomBytes(3).toString("hex")}`;
    const file = RecordingFile.open(join(directory, id + EXTENSION), (reason) =>
      encodeRemark(`The recording ends here: ${reason}.`, 0),
    );
    const recorder = new CastRecorder({
      size: size ?? SIZE_WITHOUT_TERMINAL,
      title,
      hasTerminal: size !== undefined,
      startedAt,
      write: (line) => file.write(line),
    });
    return {
      id,
      output: (bytes) => recorder.output(bytes),
      resize: (changed) => recorder.resize(changed),
      close: () => file.close(),
    };
  }

  /** Oldest first. */
  async list(sandboxId: string): Promise<RecordingSummary[]> {
    const directory = join(this.#directory, sandboxId);
    const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    return Promise.all(
      names
        .toSorted((a, b) => a.localeCompare(b))
        .map(async (name) => {
          const { size, birthtime } = await stat(join(directory, name));
          const id = name.slice(0, -EXTENSION.length);
          return { id, sandboxId, startedAt: birthtime.toISOString(), bytes: size };
        }),
    );
  }

  /** Throws RECORDING_NOT_FOUND. */
  async read(sandboxId: string, id: string): Promise<Readable> {
    const path = join(this.#directory, sandboxId, id + EXTENSION);
    // SECURITY: an id is never a path.
    const isThere = ID.test(id) && (await this.#exists(path));
    if (isThere) return createReadStream(path);
    throw new CattlegridError("RECORDING_NOT_FOUND", `There is no recording ${id}.`);
  }

  /** Idempotent. */
  async remove(sandboxId: string): Promise<void> {
    await rm(join(this.#directory, sandboxId), { recursive: true, force: true });
  }

  async #exists(path: string): Promise<boolean> {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    return found !== undefined;
  }
}
