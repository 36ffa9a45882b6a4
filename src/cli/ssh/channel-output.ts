import type { Writable } from "node:stream";
import type { ServerChannel } from "ssh2";

/** What the library keeps of a write that had to wait for the client, and does not forget afterwards. */
interface Leftovers {
  _chunk?: Buffer | undefined;
  _chunkcb?: (() => void) | undefined;
  _chunkErr?: Buffer | undefined;
  _chunkcbErr?: (() => void) | undefined;
}

/** The way from a program to the client of its channel: one piece after the other, no faster than the client takes them. */
export class ChannelOutput {
  /** When the client has heard all, the end too, or is gone. Never rejects. */
  readonly closed: Promise<void>;
  readonly #channel: ServerChannel;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(channel: ServerChannel) {
    this.#channel = channel;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    channel.once("close", () => {
      this.#isClosed = true;
      resolve();
      this.#wake?.();
    });
  }

  /** Resolves when the client has room for more, or is gone. Never call one before the other has resolved. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#put(this.#channel, bytes);
  }

  writeErrors(bytes: Uint8Array | string): Promise<void> {
    return this.#put(this.#channel.stderr, bytes);
  }

  /** Tells the status and closes the channel. */
  end(status: number): void {
    if (this.#isClosed) return;
    this.#channel.exit(status);
    this.#channel.end();
  }

  async #put(stream: Writable, bytes: Uint8Array | string): Promise<void> {
    if (this.#isClosed || bytes.length === 0) return;
    await new Promise<void>((resolve) => {
      // The library calls nobody back whose channel is closed meanwhile.
      this.#wake = resolve;
      stream.write(bytes, () => resolve());
    });
    this.#forget();
  }

  /** Else what had to wait on one stream is sent once more as soon as the other one has to wait. */
  #forget(): void {
    const leftovers = this.#channel as Leftovers;
    leftovers._chunk = leftovers._chunkErr = undefined;
    leftovers._chunkcb = leftovers._chunkcbErr = undefined;
  }
}
