import { Readable } from "node:stream";

const HIGH_WATER_BYTES = 64 * 1024;

/** Bytes of a program that wait to be read. */
export class AttachedOutput extends Readable {
  /** Resolves when the last byte was read, or nobody reads any more. */
  readonly done: Promise<void>;
  readonly #onDrain: () => void;
  #isOver = false;

  /** `onDrain`: called whenever more is wanted. */
  constructor(onDrain: () => void) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#onDrain = onDrain;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.once("end", resolve);
    this.once("close", resolve);
    // A reader that gives up with a reason of its own knows it.
    this.on("error", () => resolve());
  }

  /** Whether more may come before it is read. */
  give(bytes: Buffer): boolean {
    return this.#isOver || this.destroyed || this.push(bytes);
  }

  /** Whether whoever reads is behind. */
  get isFull(): boolean {
    return !this.destroyed && !this.#isOver && this.readableLength >= HIGH_WATER_BYTES;
  }

  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.destroyed) this.push(null);
  }

  override _read(): void {
    this.#onDrain();
  }
}
