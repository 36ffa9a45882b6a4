/** A terminal gives at most 4 KiB to one read: a program that fills a read goes on writing. */
const FULL_READ_BYTES = 2048;
/** One message to a viewer costs as much as copying this much. */
const TOGETHER_BYTES = 32 * 1024;
const TOGETHER_MS = 1;

/** When viewers are told of new output: what comes alone at once, of much that comes in a row a few pieces together. */
export class Announcements {
  readonly #announce: () => void;
  #untoldBytes = 0;
  #waiting: NodeJS.Timeout | undefined;

  constructor(announce: () => void) {
    this.#announce = announce;
  }

  add(lengthBytes: number): void {
    this.#untoldBytes += lengthBytes;
    const isOneOfMany = lengthBytes >= FULL_READ_BYTES && this.#untoldBytes < TOGETHER_BYTES;
    if (!isOneOfMany) this.now();
    else this.#waiting ??= setTimeout(() => this.now(), TOGETHER_MS);
  }

  now(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    this.#untoldBytes = 0;
    this.#announce();
  }
}
