import type { Socket } from "node:net";
import { readClientHello } from "./client-hello.ts";
import {
  looksLikeRequest,
  readRequestHead,
  type HttpPlace,
  type HttpProblem,
  type RequestHead,
} from "./http/http-head.ts";
import { MessageReader, REQUEST_RULES } from "./http/http-message.ts";

/** What a client said first. `bytes` are all that it said. */
export type FirstBytes =
  | {
      kind: "tls";
      bytes: Buffer;
      serverName?: string;
      isNameHidden: boolean;
      protocols?: readonly string[];
    }
  | { kind: "tls-malformed"; problem: string }
  | { kind: "http"; bytes: Buffer }
  | { kind: "http-refused"; problem: HttpProblem }
  | { kind: "other" }
  | { kind: "late" }
  | { kind: "ended" };

/** A client that has not said by then what it wants has no use for the connection, or holds it on purpose. */
export const FIRST_BYTES_DEADLINE_MS = 15_000;

const FIRST_BYTE_TLS = 22;

/** Reads from a socket until it is plain what it speaks, and leaves it paused. Never rejects. */
export function readFirstBytes(
  socket: Socket,
  place: HttpPlace,
  deadlineMs = FIRST_BYTES_DEADLINE_MS,
): Promise<FirstBytes> {
  return new Promise((resolve) => {
    const observer = new Observer(place);
    const onData = (bytes: Buffer) => {
      const found = observer.push(bytes);
      if (found !== undefined) finish(found);
    };
    const onEnd = () => finish({ kind: "ended" });
    const timer = setTimeout(() => finish({ kind: "late" }), deadlineMs);
    const finish = (found: FirstBytes) => {
      clearTimeout(timer);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd);
      socket.pause();
      resolve(found);
    };
    socket.on("data", onData).once("end", onEnd).once("close", onEnd);
    if (socket.destroyed) onEnd();
  });
}

class Observer {
  readonly #requests: MessageReader<RequestHead>;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #bytesNeeded = 1;

  constructor(place: HttpPlace) {
    this.#requests = new MessageReader((text) => readRequestHead(text, place), REQUEST_RULES);
  }

  push(bytes: Buffer): FirstBytes | undefined {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    return this.#chunks[0]?.[0] === FIRST_BYTE_TLS ? this.#observeTls() : this.#observeHttp(bytes);
  }

  #observeTls(): FirstBytes | undefined {
    if (this.#length < this.#bytesNeeded) return undefined;
    const bytes = Buffer.concat(this.#chunks);
    const reading = readClientHello(bytes);
    switch (reading.kind) {
      case "partial":
        this.#bytesNeeded = reading.bytesNeeded;
        return undefined;
      case "not-tls":
        return { kind: "other" };
      case "malformed":
        return { kind: "tls-malformed", problem: reading.problem };
      case "hello":
        return { ...reading, kind: "tls", bytes };
    }
  }

  #observeHttp(bytes: Buffer): FirstBytes | undefined {
    if (!looksLikeRequest(this.#chunks.length === 1 ? bytes : Buffer.concat(this.#chunks))) {
      return { kind: "other" };
    }
    this.#requests.feed(bytes);
    const piece = this.#requests.next();
    if (piece === undefined) return undefined;
    if (piece.kind === "problem") return { kind: "http-refused", problem: piece.problem };
    return { kind: "http", bytes: Buffer.concat(this.#chunks) };
  }
}
