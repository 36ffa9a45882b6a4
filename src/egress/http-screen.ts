import { judgeHead, malformed, readField, type HttpPlace, type HttpProblem } from "./http-head.ts";

export const HEAD_BYTES_MAX = 32 * 1024;
const LINE_BYTES_MAX = 1024;
const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");

type Awaited = { kind: "head" } | { kind: "bytes"; left: number; next: AfterBytes } | Lines;
type AfterBytes = "head" | "chunk-end";
type Lines = { kind: "line"; of: "chunk-size" | "chunk-end" | "trailer" };

/**
 * SECURITY: follows the requests of one plain HTTP connection and lets only those through that name the
 * looked-up host. It reads message framing more strictly than any server does, so that no server finds a
 * request in bytes that were taken for a body here.
 */
export class HttpScreen {
  readonly #place: HttpPlace;
  #awaited: Awaited = { kind: "head" };
  #held: Buffer = Buffer.alloc(0);
  #scanned = 0;

  constructor(place: HttpPlace) {
    this.#place = place;
  }

  /** Gives back the bytes that may go on, or what is wrong; after a problem it must not be used again. */
  push(bytes: Buffer): Buffer | HttpProblem {
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#held = Buffer.alloc(0);
    const passed: Buffer[] = [];
    while (rest.length > 0) {
      const taken = this.#take(rest);
      if (typeof taken === "object") return taken;
      if (taken === 0) {
        this.#held = rest;
        break;
      }
      passed.push(rest.subarray(0, taken));
      rest = rest.subarray(taken);
    }
    const [only] = passed;
    return passed.length === 1 && only !== undefined ? only : Buffer.concat(passed);
  }

  /** How many bytes from the start may go on; 0 when more are needed to tell. */
  #take(bytes: Buffer): number | HttpProblem {
    const awaited = this.#awaited;
    if (awaited.kind === "head") return this.#takeHead(bytes);
    if (awaited.kind === "line") return this.#takeLine(bytes, awaited.of);
    const taken = Math.min(awaited.left, bytes.length);
    const left = awaited.left - taken;
    if (left > 0) this.#awaited = { ...awaited, left };
    else if (awaited.next === "head") this.#awaited = { kind: "head" };
    else this.#awaited = { kind: "line", of: "chunk-end" };
    return taken;
  }

  #takeHead(bytes: Buffer): number | HttpProblem {
    const end = bytes.indexOf(HEAD_END, Math.max(0, this.#scanned - HEAD_END.length));
    if (end === -1) {
      this.#scanned = bytes.length;
      if (bytes.length > HEAD_BYTES_MAX) return malformed("its head is too long");
      return 0;
    }
    this.#scanned = 0;
    if (end > HEAD_BYTES_MAX) return malformed("its head is too long");
    const body = judgeHead(bytes.toString("latin1", 0, end), this.#place);
    if ("problem" in body) return body;
    if (body.length === "chunked") this.#awaited = { kind: "line", of: "chunk-size" };
    else if (body.length > 0) this.#awaited = { kind: "bytes", left: body.length, next: "head" };
    return end + HEAD_END.length;
  }

  #takeLine(bytes: Buffer, of: Lines["of"]): number | HttpProblem {
    const end = bytes.indexOf(LINE_END);
    if (end === -1) return bytes.length > LINE_BYTES_MAX ? malformed("a line is too long") : 0;
    const line = bytes.toString("latin1", 0, end);
    const next = nextAwaited(of, line);
    if ("problem" in next) return next;
    this.#awaited = next;
    return end + LINE_END.length;
  }
}

function nextAwaited(of: Lines["of"], line: string): Awaited | HttpProblem {
  switch (of) {
    case "chunk-size": {
      if (!/^[0-9A-Fa-f]{1,8}$/.test(line))
        return malformed("a chunk size is not plain hexadecimal");
      const left = Number.parseInt(line, 16);
      if (left === 0) return { kind: "line", of: "trailer" };
      return { kind: "bytes", left, next: "chunk-end" };
    }
    case "chunk-end":
      if (line !== "") return malformed("a chunk is longer than it says");
      return { kind: "line", of: "chunk-size" };
    case "trailer": {
      if (line === "") return { kind: "head" };
      const field = readField(line);
      return field === undefined ? malformed("a trailer is not valid") : { kind: "line", of };
    }
  }
}
