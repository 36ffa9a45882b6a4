import { endTar } from "./tar-writer.ts";

/** An archive grows to about this before the next one begins: each is held in memory whole. */
const BATCH_BYTES = 16 * 1024 * 1024;

/** Entries that become one archive after another, each complete in itself. */
export class ArchiveBatch {
  #parts: Buffer[] = [];
  #sizeBytes = 0;

  add(...parts: readonly Buffer[]): void {
    for (const part of parts) {
      this.#parts.push(part);
      this.#sizeBytes += part.length;
    }
  }

  /** Whether it should be taken before so much more comes into it. */
  isFull(moreBytes = 0): boolean {
    return this.#sizeBytes > 0 && this.#sizeBytes + moreBytes > BATCH_BYTES;
  }

  take(): Buffer {
    const archive = Buffer.concat([...this.#parts, endTar()]);
    this.#parts = [];
    this.#sizeBytes = 0;
    return archive;
  }
}
