import { watch } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { egressRecordSchema, type EgressRecord } from "../protocol/egress.ts";

export interface ReadOptions {
  /** The recorder's path. A file that is not there holds no records. */
  path: string;
  /** After the last record wait for more, until `signal` is aborted. Default false. */
  follow?: boolean;
  signal?: AbortSignal | undefined;
}

const CHUNK_BYTES = 64 * 1024;
/** No record is longer; a line that is was not written by the recorder. */
const LINE_BYTES_MAX = 64 * 1024;

/** Reads the records of a sandbox, oldest first, across one rotation. Lines that are no record are left out. */
export async function* readRecords(options: ReadOptions): AsyncGenerator<EgressRecord, void> {
  using changes = options.follow === true ? new Changes(options) : undefined;
  yield* readCurrent(options, await openIfThere(options.path), changes);
}

async function* readCurrent(
  options: ReadOptions,
  first: FileHandle | undefined,
  changes: Changes | undefined,
): AsyncGenerator<EgressRecord, void> {
  let handle = first;
  let lines = new LineReader(handle);
  try {
    yield* readOlder(options.path, handle);
    for (;;) {
      yield* lines.readRecords();
      if (changes === undefined || options.signal?.aborted === true) return;
      const next = await openIfReplaced(options.path, handle);
      if (next === undefined) {
        await changes.next();
        continue;
      }
      // What was written between the last read and the rotation.
      yield* lines.readRecords();
      await handle?.close();
      handle = next;
      lines = new LineReader(handle);
    }
  } finally {
    await handle?.close();
  }
}

/** The file before the current one, unless a rotation just now made them the same. */
async function* readOlder(
  path: string,
  current: FileHandle | undefined,
): AsyncGenerator<EgressRecord, void> {
  await using older = await openIfThere(`${path}.1`);
  if (older === undefined) return;
  if (current !== undefined && (await areSame(current, older))) return;
  yield* new LineReader(older).readRecords();
}

/** Whole lines of a file that grows; a line without its end is kept for the next read. */
class LineReader {
  readonly #handle: FileHandle | undefined;
  #rest = "";

  constructor(handle: FileHandle | undefined) {
    this.#handle = handle;
  }

  async *readRecords(): AsyncGenerator<EgressRecord, void> {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      // Positions count bytes and the kernel keeps them; records are ASCII, so no character is cut.
      const { bytesRead } = (await this.#handle?.read(chunk, 0, chunk.length)) ?? { bytesRead: 0 };
      if (bytesRead === 0) return;
      const lines = `${this.#rest}${chunk.toString("latin1", 0, bytesRead)}`.split("\n");
      this.#rest = (lines.pop() ?? "").slice(0, LINE_BYTES_MAX);
      for (const line of lines) {
        const record = parseRecord(line);
        if (record !== undefined) yield record;
      }
    }
  }
}

/** Remembers that something changed while nobody was waiting, so that no change is missed. */
class Changes {
  readonly #watcher;
  readonly #signal: AbortSignal | undefined;
  #hasChanged = false;
  #wake: (() => void) | undefined;

  constructor(options: ReadOptions) {
    this.#signal = options.signal;
    this.#watcher = watch(dirname(options.path), { persistent: true }, this.#onChange);
    this.#watcher.on("error", this.#onChange);
    this.#signal?.addEventListener("abort", this.#onChange);
  }

  async next(): Promise<void> {
    if (!this.#hasChanged && this.#signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#hasChanged = false;
  }

  [Symbol.dispose](): void {
    this.#signal?.removeEventListener("abort", this.#onChange);
    this.#watcher.close();
  }

  readonly #onChange = (): void => {
    this.#hasChanged = true;
    this.#wake?.();
    this.#wake = undefined;
  };
}

function parseRecord(line: string): EgressRecord | undefined {
  try {
    const record = egressRecordSchema.safeParse(JSON.parse(line));
    return record.success ? record.data : undefined;
  } catch (error) {
    // A line that a crash cut off.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function openIfReplaced(path: string, handle: FileHandle | undefined) {
  const next = await openIfThere(path);
  if (next === undefined || handle === undefined || !(await areSame(next, handle))) return next;
  await next.close();
  return undefined;
}

async function areSame(one: FileHandle, other: FileHandle): Promise<boolean> {
  const [first, second] = await Promise.all([one.stat(), other.stat()]);
  return first.ino === second.ino && first.dev === second.dev;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
