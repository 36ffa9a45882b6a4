import { open, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

/**
 * One terminal's overflow on disk. The file has no name once it is open, so that a crash of the
 * engine leaves nothing behind.
 */
export class Spool {
  readonly #file: FileHandle;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(directory: string, terminalId: string): Promise<Spool> {
    const path = join(directory, `${terminalId}.spool`);
    // SECURITY: output may hold whatever the agent printed; only the engine's user may read it.
    const file = await open(path, "wx+", 0o600);
    try {
      await unlink(path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new Spool(file);
  }

  /** Bytes appended so far. */
  get size(): number {
    return this.#size;
  }

  /** Appends all of `bytes` and returns where they begin. */
  async append(bytes: Buffer): Promise<number> {
    const position = this.#size;
    let written = 0;
    while (written < bytes.length) {
      const step = await this.#file.write(
        bytes,
        written,
        bytes.length - written,
        position + written,
      );
      written += step.bytesWritten;
    }
    this.#size = position + bytes.length;
    return position;
  }

  async read(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const step = await this.#file.read(bytes, filled, length - filled, position + filled);
      if (step.bytesRead === 0) return bytes.subarray(0, filled);
      filled += step.bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
