import { Readable } from "node:stream";

const HIGH_WATER_BYTES = 64 * 1024;

/** Bytes of a program that wait to be read. */
export class AttachedOutput extends Readable {
  readonly #onDrain: () => void;
  #isOver = false;
  #isFull = false;

  /** `onDrain`: called whenever more is wanted, also when nobody reads any more. */
  constructor(onDrain: () => void) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#onDrain = onDrain;
    // A reader that gives up with a reason of its own knows it.
    this.on("error", () => this.#drain());
  }

  /** Whether whoever reads is behind. */
  get isFull(): boolean {
    return this.#isFull && !this.#isOver && !this.destroyed;
  }

  give(bytes: Buffer): void {
    if (this.#isOver || this.destroyed) return;
    this.#isFull = !this.push(bytes);
  }

  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.destroyed) this.push(null);
  }

  /** The buffer is emptied only after this was called, so its length says nothing here. */
  override _read(): void {
    this.#drain();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#drain();
    callback(error);
  }

  #drain(): void {
    this.#isFull = false;
    this.#onDrain();
  }
}
