import type { Socket } from "node:net";
import { Writable } from "node:stream";

const END_OF_INPUT = Buffer.from([4]);

/** What a program reads; a program that does not read holds up its own input and nothing else. */
export class ProgramInput extends Writable {
  readonly #socket: Socket;
  readonly #kind: "pipe" | "terminal";

  constructor(socket: Socket, kind: "pipe" | "terminal") {
    super({ highWaterMark: 64 * 1024 });
    this.#socket = socket;
    this.#kind = kind;
    // Writing to a program that has ended says nothing that its ending does not.
    this.on("error", () => this.destroy());
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.#socket.destroyed) return done();
    this.#socket.write(bytes, () => done());
  }

  override _final(done: (error?: Error) => void): void {
    if (this.#socket.destroyed) return done();
    // A terminal has no end of its own: the key says it, to a program that reads lines.
    if (this.#kind === "terminal") this.#socket.write(END_OF_INPUT, () => done());
    else this.#socket.end(done);
  }
}
