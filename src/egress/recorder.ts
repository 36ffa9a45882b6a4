import { open, rename, type FileHandle } from "node:fs/promises";
import { egressRecordSchema, type EgressRecord } from "../protocol/egress.ts";

export interface RecorderOptions {
  /** A file outside the sandbox; its directory exists. */
  path: string;
  /** Then the file becomes `<path>.1`, in place of an older one. Default 64 MiB. */
  bytesMax?: number;
  /** Told when records could not be written; the reader finds a `gap` in their place. */
  onFailure?: (error: Error) => void;
}

/** The record of one sandbox's decisions, as JSON Lines that only their owner reads. */
export interface Recorder {
  /** Never waits and never throws; what was recorded is written soon, and before `close` returns. */
  record(record: EgressRecord): void;
  /** Idempotent. */
  close(): Promise<void>;
}

const FILE_BYTES_MAX = 64 * 1024 * 1024;
/** Records that wait for a slow disk; a sandbox that asks faster than that loses records, not memory. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
const TEXT_LENGTH_MAX = 1000;

export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const file = await openAppending(options.path);
  return new RecordFile(options, file);
}

class RecordFile implements Recorder {
  readonly #options: RecorderOptions;
  #file: { handle: FileHandle; size: number };
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped: { count: number; sandboxId: string } | undefined;
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RecorderOptions, file: { handle: FileHandle; size: number }) {
    this.#options = options;
    this.#file = file;
  }

  record(record: EgressRecord): void {
    if (this.#closing !== undefined) return;
    if (this.#waitingBytes > WAITING_BYTES_MAX) return this.#drop(1, record.sandboxId);
    const gap = this.#takeGap(record.time);
    for (const each of gap === undefined ? [record] : [gap, record]) this.#enqueue(each);
    this.#writing ??= this.#writeWaiting();
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeOnce();
    return this.#closing;
  }

  async #closeOnce(): Promise<void> {
    await this.#writing;
    const gap = this.#takeGap(new Date().toISOString());
    if (gap !== undefined) {
      this.#enqueue(gap);
      await this.#writeWaiting();
    }
    await this.#file.handle.close();
  }

  #enqueue(record: EgressRecord): void {
    const line = formatRecord(record);
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
  }

  async #writeWaiting(): Promise<void> {
    // One write takes all records of the same turn of the event loop.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      const bytes = Buffer.concat(lines);
      this.#waiting = [];
      this.#waitingBytes = 0;
      await this.#append(bytes).catch((error: unknown) => this.#fail(error, lines));
    }
    this.#writing = undefined;
  }

  async #append(bytes: Buffer): Promise<void> {
    const { path, bytesMax = FILE_BYTES_MAX } = this.#options;
    if (this.#file.size > 0 && this.#file.size + bytes.length > bytesMax) {
      await rename(path, `${path}.1`);
      const full = this.#file.handle;
      this.#file = await openAppending(path);
      await full.close();
    }
    await this.#file.handle.appendFile(bytes);
    this.#file.size += bytes.length;
  }

  /** A disk that is full or gone costs records, which a gap tells of; it does not cost the sandbox. */
  #fail(error: unknown, lines: readonly Buffer[]): void {
    if (!(error instanceof Error)) throw error;
    this.#drop(lines.length, sandboxOf(lines[0]));
    this.#options.onFailure?.(error);
  }

  #drop(count: number, sandboxId: string): void {
    this.#dropped = { count: (this.#dropped?.count ?? 0) + count, sandboxId };
  }

  #takeGap(time: string): EgressRecord | undefined {
    if (this.#dropped === undefined) return undefined;
    const { count, sandboxId } = this.#dropped;
    this.#dropped = undefined;
    const reason = `${count} records could not be written`;
    return { time, sandboxId, kind: "gap", action: "error", reasonCode: "records-dropped", reason };
  }
}

async function openAppending(path: string): Promise<{ handle: FileHandle; size: number }> {
  // SECURITY: the record tells what the agent reached; it is its owner's alone.
  const handle = await open(path, "a+", 0o600);
  await handle.chmod(0o600);
  const { size } = await handle.stat();
  const last = await handle.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
  if (size === 0 || last.buffer[0] === 0x0a) return { handle, size };
  // A crash cut the last line; what follows must not be taken for its end.
  await handle.appendFile("\n");
  return { handle, size: size + 1 };
}

/** SECURITY: one line of printable ASCII, whatever a client put into a name. */
function formatRecord(record: EgressRecord): Buffer {
  const text = JSON.stringify(record, (_key, value: unknown) =>
    typeof value === "string" ? escapeText(value) : value,
  );
  const ascii = text.replace(/[^\x20-\x7e]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return Buffer.from(`${ascii}\n`, "latin1");
}

/** Control and invisible characters stay visible as text even after the JSON is decoded. */
function escapeText(text: string): string {
  const escaped = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
  return escaped.length > TEXT_LENGTH_MAX ? `${escaped.slice(0, TEXT_LENGTH_MAX)}…` : escaped;
}

function sandboxOf(line: Buffer | undefined): string {
  const record = egressRecordSchema.safeParse(JSON.parse(line?.toString() ?? "null"));
  return record.success ? record.data.sandboxId : "";
}
