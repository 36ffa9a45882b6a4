import { Writable } from "node:stream";
import { CattlegridError } from "../../../errors/error.ts";
import type { ProgramFiles } from "./program-files.ts";

const PIECE_BYTES_MAX = 256 * 1024;
const END_OF_INPUT = Buffer.from([4]);

export interface ProgramInputOptions {
  files: ProgramFiles;
  kind: "pipe" | "terminal";
  /** Aborts when the program has ended. */
  signal: AbortSignal;
}

/** What a program reads: numbered pieces, so that one that was sent twice is read once. */
export class ProgramInput extends Writable {
  readonly #options: ProgramInputOptions;
  #pieces = 0;

  constructor(options: ProgramInputOptions) {
    super({ highWaterMark: PIECE_BYTES_MAX });
    this.#options = options;
    // Writing to a program that has ended says nothing that its ending does not.
    this.on("error", () => this.destroy());
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error) => void): void {
    void this.#settle(this.#send(bytes), done);
  }

  /** What was written while a piece was on its way goes with the next. */
  override _writev(chunks: readonly { chunk: Buffer }[], done: (error?: Error) => void): void {
    const bytes = Buffer.concat(chunks.map(({ chunk }) => chunk));
    void this.#settle(this.#send(bytes), done);
  }

  override _final(done: (error?: Error) => void): void {
    const { files, kind, signal } = this.#options;
    // A terminal has no end of its own: the key says it, to a program that reads lines.
    const ended = kind === "terminal" ? this.#send(END_OF_INPUT) : files.finish(signal);
    void this.#settle(ended, done);
  }

  async #settle(work: Promise<void>, done: (error?: Error) => void): Promise<void> {
    const [result] = await Promise.allSettled([work]);
    if (result.status === "fulfilled" || this.#isExpected(result.reason)) done();
    else done(result.reason);
  }

  async #send(bytes: Buffer): Promise<void> {
    const { files, signal } = this.#options;
    for (let start = 0; start < bytes.length; start += PIECE_BYTES_MAX) {
      const piece = bytes.subarray(start, start + PIECE_BYTES_MAX);
      if (!(await files.place(this.#pieces, piece, signal))) return;
      this.#pieces += 1;
    }
  }

  /** A program that has ended reads nothing, and needs to hear of nothing. */
  #isExpected(error: unknown): boolean {
    return this.#options.signal.aborted || CattlegridError.is(error, "SANDBOX_NOT_RUNNING");
  }
}
