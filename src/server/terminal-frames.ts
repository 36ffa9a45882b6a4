import type { WebSocket } from "ws";

/** What one read of a terminal's output gives at most; only a screen may be larger. */
const FRAME_BYTES = 64 * 1024;
/** What is smaller comes out of Node's own pool. */
const SMALL_BYTES = 4 * 1024;
const KEPT_MAX = 4;

/**
 * Sends what a terminal printed to one client, each piece behind the number of its stream. The buffers are used again once the
 * kernel has taken them: as garbage, a fast program's output would have the whole heap collected every few megabytes.
 */
export class TerminalFrames {
  readonly #client: WebSocket;
  readonly #kept: Buffer[] = [];

  constructor(client: WebSocket) {
    this.#client = client;
  }

  send(stream: number, bytes: Uint8Array): void {
    if (bytes.length < SMALL_BYTES || bytes.length > FRAME_BYTES) {
      this.#client.send(fill(Buffer.allocUnsafe(bytes.length + 1), stream, bytes));
      return;
    }
    const buffer = this.#kept.pop() ?? Buffer.allocUnsafeSlow(FRAME_BYTES + 1);
    this.#client.send(fill(buffer, stream, bytes), (error) => {
      // What failed may still be somewhere on its way.
      if (!error && this.#kept.length < KEPT_MAX) this.#kept.push(buffer);
    });
  }
}

function fill(buffer: Buffer, stream: number, bytes: Uint8Array): Buffer {
  buffer[0] = stream;
  buffer.set(bytes, 1);
  return buffer.subarray(0, bytes.length + 1);
}
