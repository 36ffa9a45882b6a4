import { Socket } from "node:net";
import { systemError } from "../../../platform/native/libc.ts";
import { WINDOW_BYTES } from "./frames.ts";

const ECONNRESET = 104;
/** Given back in pieces of this size, so that not every read is a message. */
const GIVEN_BACK_BYTES = WINDOW_BYTES / 4;
const PIECE_BYTES = 64 * 1024;

/** What a connection says to the relay that holds its other end. */
export interface RelayedEnd {
  sendData(bytes: Buffer): void;
  sendEnd(): void;
  /** So many bytes were taken. */
  sendWindow(count: number): void;
  /** The connection is over here. `isWhole`: in good order, so that the other end knows. */
  forget(isWhole: boolean): void;
}

/**
 * A connection whose kernel socket is a relay's. A socket to whoever holds it: half open ends stay half open, a slow reader
 * holds back the writer at the other end, and a reset goes both ways.
 */
export class RelayedConnection extends Socket {
  readonly #end: RelayedEnd;
  #sendable = WINDOW_BYTES;
  #receivable = WINDOW_BYTES;
  /** Bytes that were taken by the reader and not given back yet. */
  #taken = 0;
  /** Bytes that wait for the reader. */
  #waiting = 0;
  #held: { bytes: Buffer; done: (error?: Error | null) => void } | undefined;
  #hasHeardEnd = false;
  #hasSaidEnd = false;

  constructor(end: RelayedEnd) {
    super({ allowHalfOpen: true });
    this.#end = end;
    // TLS over a socket that has no handle of its own waits for this, and this one is connected.
    this.on("newListener", (event) => {
      if (event === "connect") process.nextTick(() => this.emit("connect"));
    });
  }

  /** Whether the relay kept to what it may send. */
  takeData(bytes: Buffer): boolean {
    this.#receivable -= bytes.length;
    if (this.#receivable < 0 || this.#hasHeardEnd) return false;
    if (this.destroyed) return true;
    this.#stir();
    if (this.push(bytes)) this.#giveBack(bytes.length);
    else this.#waiting += bytes.length;
    return true;
  }

  takeEnd(): void {
    this.#hasHeardEnd = true;
    if (!this.destroyed) this.push(null);
  }

  takeReset(): void {
    this.#hasHeardEnd = true;
    this.#hasSaidEnd = true;
    this.destroy(systemError(ECONNRESET, "the connection was reset"));
  }

  takeWindow(count: number): void {
    this.#sendable += count;
    this.#stir();
    this.#send();
  }

  override resetAndDestroy(): this {
    return this.destroy();
  }

  override _read(): void {
    const count = this.#waiting;
    this.#waiting = 0;
    if (count > 0) this.#giveBack(count);
  }

  override _write(
    chunk: Buffer | string,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
    this.#held = { bytes, done };
    this.#stir();
    this.#send();
  }

  override _writev(
    chunks: { chunk: Buffer | string; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    const parts = chunks.map(({ chunk, encoding }) =>
      typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk,
    );
    this._write(Buffer.concat(parts), "utf8", done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#hasSaidEnd = true;
    this.#end.sendEnd();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#end.forget(this.#hasHeardEnd && this.#hasSaidEnd);
    const held = this.#held;
    this.#held = undefined;
    super._destroy(error, done);
    held?.done(error);
  }

  #send(): void {
    while (this.#held !== undefined && this.#sendable > 0) {
      const { bytes, done } = this.#held;
      const count = Math.min(bytes.length, this.#sendable, PIECE_BYTES);
      if (count > 0) this.#end.sendData(bytes.subarray(0, count));
      this.#sendable -= count;
      const rest = bytes.subarray(count);
      this.#held = rest.length === 0 ? undefined : { bytes: rest, done };
      if (rest.length === 0) done();
    }
  }

  #giveBack(count: number): void {
    this.#taken += count;
    if (this.#taken < GIVEN_BACK_BYTES) return;
    this.#receivable += this.#taken;
    this.#end.sendWindow(this.#taken);
    this.#taken = 0;
  }

  /** Something moves: whoever watches for silence begins anew. */
  #stir(): void {
    if (this.timeout !== undefined && this.timeout > 0) this.setTimeout(this.timeout);
  }
}
