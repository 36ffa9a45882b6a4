import { Duplex } from "node:stream";
import type { Readable, Writable } from "node:stream";

/** Standard input and output as the one connection that an SSH server has. Ends with either. */
export class StandardStreams extends Duplex {
  readonly #input: Readable;
  readonly #output: Writable;

  constructor({ input, output }: { input: Readable; output: Writable }) {
    super({ allowHalfOpen: false });
    this.#input = input;
    this.#output = output;
    input.on("data", (bytes: Buffer) => {
      if (!this.push(bytes)) input.pause();
    });
    input.once("end", () => this.push(null));
    input.once("error", () => this.destroy());
    output.once("error", () => this.destroy());
    // A server that has said its last has nothing to hear either, and a client that goes on sending would keep it.
    this.once("finish", () => this.destroy());
    input.pause();
  }

  override _read(): void {
    this.#input.resume();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#output.write(bytes, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#input.pause();
    done(error);
  }
}
