import { once } from "node:events";
import type { WebSocket } from "ws";
import { CattlegridError } from "../errors/error.ts";
import { openWebSocket } from "../platform/websocket-client.ts";
import type { TerminalControl, TerminalEnding, TerminalNotice } from "../protocol/process.ts";
import {
  ACKNOWLEDGE_EVERY_BYTES,
  INPUT_WINDOW_BYTES,
  STREAM_ERRORS,
} from "../protocol/terminal-stream.ts";
import { toError } from "./problem.ts";

export interface AttachmentOptions {
  /** Of the first byte to read; default: what nobody has acknowledged yet. */
  offset?: number;
}

export interface TerminalBytes {
  stream: "output" | "errors";
  bytes: Uint8Array;
}

/** One attachment to a terminal. Read `output` to its end: what is not read holds the program up. */
export interface AttachedTerminal extends AsyncDisposable {
  /** In the order in which the engine read them; ends after the last byte. Read it once. */
  readonly output: AsyncIterable<TerminalBytes>;
  /** After the last byte was read. */
  readonly ended: Promise<TerminalEnding>;
  /** Resolves when the terminal has room for more. */
  write(bytes: Uint8Array | string): Promise<void>;
  endInput(): void;
  resize(size: { columns: number; rows: number }): void;
  signal(name: string): void;
  kill(): void;
  /** Leaves it; what runs in it goes on. */
  close(): Promise<void>;
}

/** Throws what the daemon says against it, such as TERMINAL_NOT_FOUND. */
export async function attachTerminal(
  socket: string,
  terminalId: string,
  { offset }: AttachmentOptions = {},
): Promise<AttachedTerminal> {
  const query = offset === undefined ? "" : `?offset=${offset}`;
  const path = `/v1/terminals/${encodeURIComponent(terminalId)}${query}`;
  const attachment = new Attachment(openWebSocket(socket, path));
  await attachment.attached;
  return attachment;
}

class Attachment implements AttachedTerminal {
  readonly output: AsyncIterable<TerminalBytes>;
  readonly #socket: WebSocket;
  readonly #attached = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<TerminalEnding>();
  readonly #waiting: (TerminalBytes | undefined)[] = [];
  #wake = Promise.withResolvers<void>();
  #offset = 0;
  #acknowledged = 0;
  #input = { sent: 0, taken: 0 };
  #failure: CattlegridError | undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.output = this.#read();
    // Whoever waits for one of them is told; nobody need wait for both.
    void Promise.allSettled([this.#attached.promise, this.#ended.promise]);
    socket.on("message", (data: Buffer, isBinary: boolean) =>
      isBinary ? this.#take(data) : this.#notice(JSON.parse(data.toString()) as TerminalNotice),
    );
    socket.on("error", (error) => this.#fail(unreachable(error)));
    socket.on("close", () => this.#fail(unreachable(undefined)));
    socket.on("unexpected-response", (_request, answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => this.#fail(readRefusal(Buffer.concat(chunks).toString())));
    });
  }

  get attached(): Promise<void> {
    return this.#attached.promise;
  }

  get ended(): Promise<TerminalEnding> {
    return this.#ended.promise;
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    const data = Buffer.from(bytes as Uint8Array);
    while (this.#input.sent + data.length - this.#input.taken > INPUT_WINDOW_BYTES) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#input.sent === this.#input.taken) break;
      await this.#wake.promise;
    }
    this.#input.sent += data.length;
    this.#socket.send(data);
  }

  endInput(): void {
    this.#control({ type: "end-input" });
  }

  resize(size: { columns: number; rows: number }): void {
    this.#control({ type: "resize", ...size });
  }

  signal(name: string): void {
    this.#control({ type: "signal", signal: name });
  }

  kill(): void {
    this.#control({ type: "kill" });
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === this.#socket.CLOSED) return;
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #control(message: TerminalControl): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #take(data: Buffer): void {
    const stream = data[0] === STREAM_ERRORS ? "errors" : "output";
    this.#push({ stream, bytes: data.subarray(1) });
  }

  #notice(notice: TerminalNotice): void {
    switch (notice.type) {
      case "attached":
        this.#offset = notice.offset;
        this.#acknowledged = notice.offset;
        this.#attached.resolve();
        break;
      case "input-taken":
        this.#input.taken = notice.bytes;
        this.#stir();
        break;
      case "ended":
        this.#push(undefined);
        this.#ended.resolve(notice.ending);
        break;
      case "problem":
        this.#fail(toError(notice.problem));
        break;
    }
  }

  #push(next: TerminalBytes | undefined): void {
    this.#waiting.push(next);
    this.#stir();
  }

  async *#read(): AsyncGenerator<TerminalBytes> {
    for (;;) {
      const woken = this.#wake.promise;
      while (this.#waiting.length > 0) {
        const next = this.#waiting.shift();
        if (next === undefined) {
          this.#acknowledge();
          return;
        }
        yield next;
        this.#offset += next.bytes.length;
        if (this.#offset - this.#acknowledged >= ACKNOWLEDGE_EVERY_BYTES) this.#acknowledge();
      }
      if (this.#failure !== undefined) throw this.#failure;
      await woken;
    }
  }

  #acknowledge(): void {
    this.#acknowledged = this.#offset;
    this.#control({ type: "acknowledge", offset: this.#offset });
  }

  #stir(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  #fail(error: CattlegridError): void {
    this.#failure ??= error;
    this.#attached.reject(error);
    this.#ended.reject(error);
    this.#stir();
  }
}

function unreachable(cause: unknown): CattlegridError {
  const message = "The connection to the terminal ended before the terminal did.";
  return new CattlegridError("DAEMON_UNREACHABLE", message, { cause });
}

function readRefusal(text: string): CattlegridError {
  return toError(JSON.parse(text) as Parameters<typeof toError>[0]);
}
