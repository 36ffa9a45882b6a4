import type { Readable } from "node:stream";

/** What may wait for a reader before the program is held up. */
const WAITING_BYTES_MAX = 1024 * 1024;

export interface OutputChunk {
  stream: "output" | "errors";
  bytes: Buffer;
}

/** Both outputs of a process in the order in which they were read, at the reader's pace. */
export class OrderedOutput implements AsyncIterable<OutputChunk> {
  readonly #open = new Set<Readable>();
  readonly #waiting: OutputChunk[] = [];
  #waitingBytes = 0;
  #isUnwanted = false;
  #changed = Promise.withResolvers<void>();

  constructor(streams: { output: Readable; errors: Readable | undefined }) {
    this.#follow("output", streams.output);
    if (streams.errors !== undefined) this.#follow("errors", streams.errors);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputChunk> {
    for (;;) {
      const changed = this.#changed.promise;
      const chunk = this.#take();
      if (chunk !== undefined) yield chunk;
      else if (this.#open.size === 0) return;
      else await changed;
    }
  }

  /** Lets what comes from now on flow away: the program's end is announced only after its last byte. */
  discard(): void {
    this.#isUnwanted = true;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    for (const each of this.#open) each.resume();
    this.#wake();
  }

  #follow(name: OutputChunk["stream"], stream: Readable): void {
    this.#open.add(stream);
    stream.on("data", (bytes: Buffer) => {
      if (this.#isUnwanted) return;
      this.#waiting.push({ stream: name, bytes });
      this.#waitingBytes += bytes.length;
      if (this.#waitingBytes > WAITING_BYTES_MAX) for (const each of this.#open) each.pause();
      this.#wake();
    });
    const close = (): void => {
      this.#open.delete(stream);
      this.#wake();
    };
    // A stream that breaks has ended; how the process ended tells whether something is missing.
    for (const event of ["end", "error", "close"]) stream.once(event, close);
  }

  #take(): OutputChunk | undefined {
    const chunk = this.#waiting.shift();
    this.#waitingBytes -= chunk?.bytes.length ?? 0;
    if (this.#waitingBytes <= WAITING_BYTES_MAX) for (const each of this.#open) each.resume();
    return chunk;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
