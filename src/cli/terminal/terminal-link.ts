import { setTimeout as delay } from "node:timers/promises";
import type { WebSocket } from "ws";
import { CattlegridError } from "../../errors/error.ts";
import { openWebSocket } from "../../platform/websocket-client.ts";
import type {
  TerminalControl,
  TerminalEnding,
  TerminalNotice,
  TerminalSize,
} from "../../protocol/process.ts";
import {
  ACKNOWLEDGE_EVERY_BYTES,
  INPUT_WINDOW_BYTES,
  STREAM_ERRORS,
  STREAM_SCREEN,
} from "../../protocol/terminal-stream.ts";
import { API_VERSION_HEADER } from "../../protocol/version.ts";
import { checkApiVersion, readProblem, toError } from "../api.ts";

/** Where a terminal's bytes go. Each call resolves when the bytes are taken; they come one after the other. */
export interface TerminalSink {
  output(bytes: Uint8Array): Promise<void>;
  errors(bytes: Uint8Array): Promise<void>;
  /** The screen as it is, to be painted on an empty one. Comes only when it was asked for. */
  screen?(bytes: Uint8Array): Promise<void>;
}

export interface TerminalLinkOptions {
  socketPath: string;
  terminalId: string;
  /** Of the first byte to send; undefined leaves the choice to the daemon. */
  offset?: number;
  /** Begin with the screen, in a window of this size. */
  screen?: TerminalSize;
  /** Look only: the daemon refuses everything else. */
  isReadOnly?: boolean;
  sink: TerminalSink;
  signal: AbortSignal;
}

const CLOSED_NORMALLY = 1000;
/** A program that does not read its input must not keep anybody from leaving. */
const LEAVE_MS = 2000;

/** One attachment to a terminal of the daemon, over a WebSocket. */
export class TerminalLink implements Disposable {
  readonly #socket: WebSocket;
  readonly #sink: TerminalSink;
  readonly #ending = Promise.withResolvers<TerminalEnding>();
  readonly #attached = Promise.withResolvers<void>();
  #tail: Promise<void> = Promise.resolve();
  #offset = 0;
  #acknowledged = 0;
  #isOver = false;
  #isLeaving = false;
  /** Bytes of input: sent, and taken on the other side. */
  #sent = 0;
  #taken = 0;
  #wake: (() => void) | undefined;

  private constructor(socket: WebSocket, { sink, signal }: TerminalLinkOptions) {
    this.#socket = socket;
    this.#sink = sink;
    // A failure that comes before anybody waits for it is told to whoever does.
    void Promise.allSettled([this.#ending.promise, this.#attached.promise]);
    this.#listen();
    if (signal.aborted) this.#fail(signal.reason);
    signal.addEventListener("abort", () => this.#fail(signal.reason), { once: true });
  }

  /** Resolves once the daemon says that it is attached. */
  static async open(options: TerminalLinkOptions): Promise<TerminalLink> {
    const { socketPath, terminalId } = options;
    const path = `/v1/terminals/${encodeURIComponent(terminalId)}${describeView(options)}`;
    const link = new TerminalLink(openWebSocket(socketPath, path), options);
    await link.#attached.promise;
    return link;
  }

  /** How many bytes of the terminal's output have been taken: where another attachment goes on. */
  get offset(): number {
    return this.#offset;
  }

  /** Resolves after the last byte is taken. Rejects when the connection ends before. */
  get ending(): Promise<TerminalEnding> {
    return this.#ending.promise;
  }

  /** Sends the bytes as soon as there is room for them, so that input is read no faster than it is taken. */
  async sendInput(bytes: Uint8Array): Promise<void> {
    while (!this.#isOver && this.#sent + bytes.length - this.#taken > INPUT_WINDOW_BYTES) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#isOver) return;
    this.#sent += bytes.length;
    this.#socket.send(bytes);
  }

  control(message: TerminalControl): void {
    if (!this.#isOver) this.#socket.send(JSON.stringify(message));
  }

  /** Leaves the terminal once the daemon has all that was sent; what runs in it goes on. */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isLeaving = true;
    const closed = new Promise<void>((resolve) => void this.#socket.once("close", resolve));
    this.#socket.close(CLOSED_NORMALLY);
    const patience = new AbortController();
    const late = delay(LEAVE_MS, undefined, { signal: patience.signal });
    await Promise.race([closed, late]);
    patience.abort();
    await Promise.allSettled([late, this.#tail]);
    this[Symbol.dispose]();
  }

  /** Leaves the terminal at once; what runs in it goes on, unless it is bound to this. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake?.();
    this.#socket.terminate();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("upgrade", ({ headers }) =>
      this.#attempt(() => checkApiVersion(headers[API_VERSION_HEADER])),
    );
    socket.on("unexpected-response", (_request, answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        this.#fail(readProblem(text, "the terminal", answer.statusCode ?? 0));
      });
    });
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const take = isBinary ? this.#take(data) : this.#notice(data);
      this.#tail = this.#tail.then(take).catch((error: unknown) => this.#fail(error));
    });
    socket.on("error", (error) => void this.#tail.then(() => this.#fail(explain(error))));
    socket.on("close", () => void this.#tail.then(() => this.#fail(explain(undefined))));
  }

  #take(message: Buffer): () => Promise<void> {
    const bytes = message.subarray(1);
    if (message[0] === STREAM_SCREEN) return async () => this.#sink.screen?.(bytes);
    const isErrors = message[0] === STREAM_ERRORS;
    return async () => {
      await (isErrors ? this.#sink.errors(bytes) : this.#sink.output(bytes));
      this.#offset += bytes.length;
      if (this.#offset - this.#acknowledged < ACKNOWLEDGE_EVERY_BYTES) return;
      this.#acknowledged = this.#offset;
      this.control({ type: "acknowledge", offset: this.#offset });
    };
  }

  #notice(message: Buffer): () => Promise<void> {
    const notice = JSON.parse(message.toString("utf8")) as TerminalNotice;
    if (notice.type === "input-taken") {
      // At once: output that nobody reads holds back no input.
      this.#taken = notice.bytes;
      this.#wake?.();
    }
    return async () => {
      if (notice.type === "attached") {
        this.#offset = this.#acknowledged = notice.offset;
        this.#attached.resolve();
      } else if (notice.type === "ended") {
        this.#isOver = true;
        this.#wake?.();
        // Tells the daemon that everything arrived; it need not keep the output any longer.
        this.#socket.close(CLOSED_NORMALLY);
        this.#ending.resolve(notice.ending);
      } else if (notice.type === "problem") this.#fail(toError(notice.problem));
    };
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#isLeaving) return;
    this.#attached.reject(error);
    this.#ending.reject(error);
    this[Symbol.dispose]();
  }
}

function describeView({ offset, screen, isReadOnly }: TerminalLinkOptions): string {
  const query = new URLSearchParams();
  if (offset !== undefined) query.set("offset", String(offset));
  if (screen !== undefined) {
    query.set("view", "screen");
    query.set("columns", String(screen.columns));
    query.set("rows", String(screen.rows));
  }
  if (isReadOnly === true) query.set("access", "read");
  return query.size === 0 ? "" : `?${query.toString()}`;
}

function explain(error: Error | undefined): CattlegridError {
  const message = "The connection to the daemon ended while the terminal was open.";
  return new CattlegridError("DAEMON_UNREACHABLE", message, {
    hint: "See with `cattlegrid ls` what still runs; a daemon that crashed leaves its sandboxes stopped.",
    ...(error === undefined ? {} : { cause: error }),
  });
}
