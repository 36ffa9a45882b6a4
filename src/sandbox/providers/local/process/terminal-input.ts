import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { expectGoneReader } from "./program-input.ts";

const END_OF_INPUT = Buffer.from([4]);
/** How often a program that does not read is offered its input again: Node tells nobody when a terminal takes more. */
const RETRY_MS = 1;
const RETRY_MS_MAX = 16;

interface TerminalState {
  /** Whether the descriptor is still open. */
  isOpen(): boolean;
  /** Whether the program reads lines, so that ^D is the end of its input. */
  readsLines(): boolean;
}

interface Offer {
  bytes: Buffer;
  pauseMs: number;
  done(error?: Error): void;
}

/** What is typed into a terminal. A program that does not read holds up its own input and nothing else. */
export class TerminalInput extends Writable {
  readonly #fd: number;
  readonly #terminal: TerminalState;
  #retry: NodeJS.Timeout | undefined;

  /** `fd`: a master that does not wait, owned by the caller. */
  constructor(fd: number, terminal: TerminalState) {
    super({ highWaterMark: 64 * 1024 });
    this.#fd = fd;
    this.#terminal = terminal;
    this.on("error", expectGoneReader);
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#offer({ bytes, done, pauseMs: RETRY_MS });
  }

  override _final(done: (error?: Error) => void): void {
    if (!this.#terminal.isOpen() || !this.#terminal.readsLines()) done();
    else this.#offer({ bytes: END_OF_INPUT, done, pauseMs: RETRY_MS });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#retry);
    done(error);
  }

  #offer({ bytes, pauseMs, done }: Offer): void {
    // The number of a closed descriptor may already be another's.
    if (!this.#terminal.isOpen()) return done();
    let taken: number;
    try {
      taken = this.#write(bytes);
    } catch (error) {
      return done(error as Error);
    }
    if (taken === bytes.length) return done();
    const next = taken > 0 ? RETRY_MS : Math.min(pauseMs * 2, RETRY_MS_MAX);
    const rest = { bytes: bytes.subarray(taken), done, pauseMs: next };
    this.#retry = setTimeout(() => this.#offer(rest), pauseMs);
  }

  #write(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if (hasErrno(error, "EAGAIN")) return 0;
      throw error;
    }
  }
}
