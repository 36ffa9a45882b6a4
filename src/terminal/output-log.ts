import { assert } from "../errors/error.ts";
import { Spool } from "./spool.ts";

export type OutputStream = "output" | "errors";

/** A run of bytes of one stream; `offset` counts the bytes of both streams in reading order. */
export interface OutputChunk {
  stream: OutputStream;
  offset: number;
  bytes: Buffer;
}

interface SpooledRun {
  stream: OutputStream;
  offset: number;
  length: number;
  position: number;
}

/** Most bytes that one read returns, and one write to disk takes. */
const RUN_BYTES_MAX = 64 * 1024;
/** Joining what lies apart means a copy: less than this is worth one. */
const COPIED_BYTES_MAX = 16 * 1024;

/**
 * What a terminal printed, addressed by byte offset: the newest part in memory, older parts in a spool on
 * disk once `spill` moved them there, the oldest gone once `discard` released them.
 */
export class OutputLog {
  readonly #directory: string;
  readonly #terminalId: string;
  #spool: Spool | undefined;
  #spooled: SpooledRun[] = [];
  #memory: OutputChunk[] = [];
  #start = 0;
  #end = 0;
  #memoryBytes = 0;
  #isClosed = false;

  constructor(directory: string, terminalId: string) {
    this.#directory = directory;
    this.#terminalId = terminalId;
  }

  /** The oldest offset that can still be read. */
  get start(): number {
    return this.#start;
  }

  /** The offset of the next byte to come. */
  get end(): number {
    return this.#end;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Bytes on disk: what the limit on a spool counts. */
  get spooledBytes(): number {
    return this.#spool?.size ?? 0;
  }

  append(stream: OutputStream, bytes: Buffer): void {
    this.#memory.push({ stream, offset: this.#end, bytes });
    this.#end += bytes.length;
    this.#memoryBytes += bytes.length;
  }

  /** The bytes of one stream from `offset` on, as many as are together; undefined at the end. */
  async read(offset: number): Promise<OutputChunk | undefined> {
    assert(offset >= this.#start && offset <= this.#end, "a read lies outside the log");
    if (offset === this.#end) return undefined;
    const first = this.#memory[0];
    if (first !== undefined && offset >= first.offset) return this.#readMemory(offset);
    return await this.#readSpool(offset);
  }

  /** Releases what lies before `offset`; in memory, whole chunks of it. */
  async discard(offset: number): Promise<void> {
    let emptied: Spool | undefined;
    if (this.#spooled.length > 0) emptied = this.#discardSpooled(offset);
    if (this.#spooled.length === 0) this.#discardMemory(offset);
    this.#start = this.#spooled[0]?.offset ?? this.#memory[0]?.offset ?? this.#end;
    await emptied?.close();
  }

  /** Moves the oldest bytes in memory to disk until at most `keepBytes` stay. One call at a time. */
  async spill(keepBytes: number): Promise<void> {
    while (this.#memoryBytes > keepBytes && this.#memory[0] !== undefined) {
      const run = gather(this.#memory, 0);
      const spool = this.#spool ?? (await Spool.open(this.#directory, this.#terminalId));
      if (this.#isClosed) return await spool.close();
      this.#spool = spool;
      const position = await spool.append(run.bytes);
      // Readers may have released some of it, or the whole spool, while it was written.
      if (this.#memory[0]?.offset !== run.offset || this.#spool !== spool) continue;
      this.#memory.splice(0, run.count);
      this.#memoryBytes -= run.bytes.length;
      this.#remember({
        stream: run.stream,
        offset: run.offset,
        length: run.bytes.length,
        position,
      });
    }
  }

  /** Forgets everything. A spill that is under way ends by itself. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const spool = this.#spool;
    this.#spool = undefined;
    this.#spooled = [];
    this.#memory = [];
    this.#start = this.#end;
    await spool?.close();
  }

  /** Returns the spool once nothing in it is needed: a later spill begins a new one. */
  #discardSpooled(offset: number): Spool | undefined {
    while (this.#spooled[0] !== undefined && endOf(this.#spooled[0]) <= offset) {
      this.#spooled.shift();
    }
    const first = this.#spooled[0];
    if (first === undefined) {
      const emptied = this.#spool;
      this.#spool = undefined;
      return emptied;
    }
    const released = Math.max(0, offset - first.offset);
    first.offset += released;
    first.position += released;
    first.length -= released;
    return undefined;
  }

  #discardMemory(offset: number): void {
    let count = 0;
    for (const chunk of this.#memory) {
      if (chunk.offset + chunk.bytes.length > offset) break;
      this.#memoryBytes -= chunk.bytes.length;
      count += 1;
    }
    if (count > 0) this.#memory.splice(0, count);
  }

  #remember(run: SpooledRun): void {
    const last = this.#spooled.at(-1);
    const continues =
      last !== undefined &&
      last.stream === run.stream &&
      endOf(last) === run.offset &&
      last.position + last.length === run.position;
    if (continues) last.length += run.length;
    else this.#spooled.push(run);
  }

  #readMemory(offset: number): OutputChunk {
    let low = 0;
    let high = this.#memory.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#memory[middle]?.offset ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const run = gather(this.#memory, low);
    return { stream: run.stream, offset, bytes: run.bytes.subarray(offset - run.offset) };
  }

  async #readSpool(offset: number): Promise<OutputChunk> {
    const run = this.#spooled.find((candidate) => endOf(candidate) > offset);
    assert(run !== undefined && this.#spool !== undefined, "a retained offset is on disk");
    const skip = offset - run.offset;
    const length = Math.min(run.length - skip, RUN_BYTES_MAX);
    return {
      stream: run.stream,
      offset,
      bytes: await this.#spool.read(run.position + skip, length),
    };
  }
}

function endOf(run: SpooledRun): number {
  return run.offset + run.length;
}

/** Joins neighbours of one stream, so that many small reads of a terminal travel as one. */
function gather(
  chunks: readonly OutputChunk[],
  from: number,
): { stream: OutputStream; offset: number; bytes: Buffer; count: number } {
  const first = chunks[from];
  assert(first !== undefined, "there is a chunk to gather");
  let parts = [first.bytes];
  let [length, count] = [first.bytes.length, 1];
  for (let index = from + 1; index < chunks.length; index += 1) {
    const next = chunks[index];
    if (next === undefined || next.stream !== first.stream) break;
    if (length + next.bytes.length > RUN_BYTES_MAX) break;
    const joined = parts.length === 1 ? joinInPlace(parts[0], next.bytes) : undefined;
    if (joined !== undefined) parts = [joined];
    else if (length >= COPIED_BYTES_MAX) break;
    else parts.push(next.bytes);
    length += next.bytes.length;
    count += 1;
  }
  const [whole = first.bytes] = parts;
  const bytes = parts.length === 1 ? whole : Buffer.concat(parts, length);
  return { stream: first.stream, offset: first.offset, bytes, count };
}

/** Both as one, where the second lies right behind the first in memory. */
function joinInPlace(first: Buffer | undefined, second: Buffer): Buffer | undefined {
  if (first?.buffer !== second.buffer) return undefined;
  if (first.byteOffset + first.length !== second.byteOffset) return undefined;
  return Buffer.from(first.buffer, first.byteOffset, first.length + second.length);
}
