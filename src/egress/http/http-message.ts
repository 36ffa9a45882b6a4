import { malformed, readField, type Body, type HttpProblem } from "./http-head.ts";

export const HEAD_BYTES_MAX = 64 * 1024;
const LINE_BYTES_MAX = 4096;
const TRAILERS_MAX = 100;
const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
const NO_BYTES = Buffer.alloc(0);

/** What stands next in one direction of an HTTP/1 connection. */
export type Piece<H> =
  | { kind: "head"; head: H; bytes: Buffer }
  /** Of the body, with its chunk lines and trailers as they were sent. */
  | { kind: "body"; bytes: Buffer }
  | { kind: "end" }
  | { kind: "problem"; problem: HttpProblem };

/** Reads a head without its last empty line. */
export type ReadHead<H> = (text: string) => { head: H; body: Body } | HttpProblem;

export interface MessageRules {
  /**
   * SECURITY: of requests, whose framing is read more strictly than any server reads it, so that no server finds a
   * request in bytes that were taken for a body here. Responses decide nothing and may have chunk extensions.
   */
  chunkLine: RegExp;
}

export const REQUEST_RULES: MessageRules = { chunkLine: /^([0-9A-Fa-f]{1,8})$/ };
export const RESPONSE_RULES: MessageRules = { chunkLine: /^([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?$/ };

type Awaited =
  | { kind: "head" }
  | { kind: "bytes"; left: number; next: "end" | "line" }
  | Line
  | End;
type Line = { kind: "line"; of: "chunk-size" | "chunk-end" | "trailer" };
type End = { kind: "end" } | { kind: "close" };

/** Follows the messages of one direction, piece by piece; nothing is copied but a head that came in parts. */
export class MessageReader<H> {
  readonly #readHead: ReadHead<H>;
  readonly #rules: MessageRules;
  #bytes: Buffer = NO_BYTES;
  /** Has memory of its own, so that views of it begin where their `byteOffset` says. */
  #joined: Buffer = Buffer.allocUnsafeSlow(0);
  #scanned = 0;
  #trailers = 0;
  #awaited: Awaited = { kind: "head" };

  constructor(readHead: ReadHead<H>, rules: MessageRules) {
    this.#readHead = readHead;
    this.#rules = rules;
  }

  /** Keeps `bytes` as they are; behind others that are left, they go into a buffer that grows by doubling. */
  feed(bytes: Buffer): void {
    const left = this.#bytes;
    if (left.length === 0) return void (this.#bytes = bytes);
    const isJoined = left.buffer === this.#joined.buffer;
    const start = isJoined ? left.byteOffset : 0;
    const length = left.length + bytes.length;
    if (!isJoined || start + length > this.#joined.length) {
      const joined = Buffer.allocUnsafeSlow(2 * length);
      left.copy(joined);
      bytes.copy(joined, left.length);
      this.#joined = joined;
      this.#bytes = joined.subarray(0, length);
      return;
    }
    bytes.copy(this.#joined, start + left.length);
    this.#bytes = this.#joined.subarray(start, start + length);
  }

  /** Whether a message has begun, if only in part, and not ended. */
  get isInside(): boolean {
    return this.#awaited.kind !== "head" || this.#bytes.length > 0;
  }

  get isAtHead(): boolean {
    return this.#awaited.kind === "head";
  }

  /** The next piece; undefined while more bytes are needed. After a problem it must not be used again. */
  next(): Piece<H> | undefined {
    switch (this.#awaited.kind) {
      case "head":
        return this.#takeHead();
      case "end":
        this.#awaited = { kind: "head" };
        return { kind: "end" };
      default:
        return this.#takeBody();
    }
  }

  /** Takes what was fed and not read, when what follows is no message any more. */
  takeRest(): Buffer {
    return this.#take(this.#bytes.length);
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = length === this.#bytes.length ? NO_BYTES : this.#bytes.subarray(length);
    return taken;
  }

  #takeHead(): Piece<H> | undefined {
    const end = this.#bytes.indexOf(HEAD_END, Math.max(0, this.#scanned - HEAD_END.length));
    this.#scanned = end === -1 ? this.#bytes.length : 0;
    if (Math.max(end, this.#scanned) > HEAD_BYTES_MAX) return problem("its head is too long");
    if (end === -1) return undefined;
    const read = this.#readHead(this.#bytes.toString("latin1", 0, end));
    if ("problem" in read) return { kind: "problem", problem: read };
    this.#awaited = awaitBody(read.body);
    this.#trailers = 0;
    return { kind: "head", head: read.head, bytes: this.#take(end + HEAD_END.length) };
  }

  /** As much of the body as has come, in one piece. */
  #takeBody(): Piece<H> | undefined {
    let taken = 0;
    while (taken < this.#bytes.length && this.#awaited.kind !== "end") {
      const step = this.#step(taken);
      if (typeof step === "string") return problem(step);
      if (step === 0) break;
      taken += step;
    }
    if (taken > 0) return { kind: "body", bytes: this.#take(taken) };
    return this.#awaited.kind === "end" ? this.next() : undefined;
  }

  /** How many bytes from `start` belong to what is awaited, 0 when more are needed, or what is wrong. */
  #step(start: number): number | string {
    const awaited = this.#awaited;
    if (awaited.kind === "line") return this.#stepLine(awaited.of, start);
    const available = this.#bytes.length - start;
    if (awaited.kind !== "bytes") return available;
    const step = Math.min(awaited.left, available);
    const left = awaited.left - step;
    if (left > 0) this.#awaited = { ...awaited, left };
    else this.#awaited = awaited.next === "end" ? { kind: "end" } : CHUNK_END;
    return step;
  }

  #stepLine(of: Line["of"], start: number): number | string {
    const end = this.#bytes.indexOf(LINE_END, start);
    const length = (end === -1 ? this.#bytes.length : end) - start;
    if (length > LINE_BYTES_MAX) return "a line is too long";
    if (end === -1) return 0;
    const next = this.#afterLine(of, this.#bytes.toString("latin1", start, end));
    if (typeof next === "string") return next;
    this.#awaited = next;
    return length + LINE_END.length;
  }

  #afterLine(of: Line["of"], line: string): Awaited | string {
    switch (of) {
      case "chunk-size": {
        const digits = this.#rules.chunkLine.exec(line)?.[1];
        if (digits === undefined) return "a chunk size is not plain hexadecimal";
        const left = Number.parseInt(digits, 16);
        return left === 0 ? TRAILER : { kind: "bytes", left, next: "line" };
      }
      case "chunk-end":
        return line === "" ? CHUNK_SIZE : "a chunk is longer than it says";
      case "trailer":
        if (line === "") return { kind: "end" };
        this.#trailers += 1;
        if (this.#trailers > TRAILERS_MAX) return "it has too many trailers";
        return readField(line) === undefined ? "a trailer is not valid" : TRAILER;
    }
  }
}

const CHUNK_SIZE: Line = { kind: "line", of: "chunk-size" };
const CHUNK_END: Line = { kind: "line", of: "chunk-end" };
const TRAILER: Line = { kind: "line", of: "trailer" };

function awaitBody({ length }: Body): Awaited {
  if (length === "chunked") return CHUNK_SIZE;
  if (length === "until-close") return { kind: "close" };
  return length === 0 ? { kind: "end" } : { kind: "bytes", left: length, next: "end" };
}

function problem(text: string): { kind: "problem"; problem: HttpProblem } {
  return { kind: "problem", problem: malformed(text) };
}
