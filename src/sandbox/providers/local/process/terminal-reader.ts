import { ReadStream } from "node:tty";

/**
 * The most that one read is offered. A terminal holds 4 KiB: a read that is filled is followed by another one at once,
 * instead of by a look at every descriptor of this process.
 */
const READ_BYTES = 4 * 1024;
/** Where reads are put one behind the other; the first is small, since most terminals say little. */
const BLOCK_BYTES_MIN = 4 * 1024;
const BLOCK_BYTES_MAX = 64 * 1024;

/**
 * Reads a terminal and hands on what came in one turn of the event loop as one piece, without a copy. Node's own way
 * makes a buffer of 64 KiB for each read, of which a terminal fills 4, and so has the heap collected all the time.
 */
export function readTerminal(fd: number, take: (bytes: Buffer) => void): ReadStream {
  const blocks = new Blocks(take);
  const stream = new ReadStream(fd, {
    onread: {
      buffer: () => blocks.room(),
      callback: (count) => blocks.fill(count),
    },
  });
  for (const event of ["end", "error", "close"]) stream.once(event, () => blocks.flush());
  return stream.resume();
}

class Blocks {
  readonly #take: (bytes: Buffer) => void;
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES_MIN);
  /** What was handed on, and what was read. */
  #taken = 0;
  #filled = 0;
  #isDue = false;
  #isFirst = true;

  constructor(take: (bytes: Buffer) => void) {
    this.#take = take;
  }

  room(): Buffer {
    if (this.#block.length - this.#filled < READ_BYTES) {
      this.flush();
      const size = Math.min(BLOCK_BYTES_MAX, 2 * this.#block.length);
      this.#block = Buffer.allocUnsafeSlow(size);
      this.#taken = this.#filled = 0;
    }
    return this.#block.subarray(this.#filled, this.#filled + READ_BYTES);
  }

  /** Of the room that was given last. */
  fill(count: number): true {
    this.#filled += count;
    if (this.#isFirst) {
      // Whether a program has said anything decides what is said for it, so the first bytes do not wait.
      this.#isFirst = false;
      this.flush();
    } else if (!this.#isDue) {
      this.#isDue = true;
      setImmediate(() => this.flush());
    }
    return true;
  }

  flush(): void {
    this.#isDue = false;
    const bytes = this.#block.subarray(this.#taken, this.#filled);
    this.#taken = this.#filled;
    if (bytes.length > 0) this.#take(bytes);
  }
}
