import { Transform, type TransformCallback } from "node:stream";
import { CattlegridError } from "../../errors/error.ts";

const LINE_BYTES_MAX = 64 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** Hands on each whole line that `take` gives back, in order; an unfinished last line counts as one. */
export class LineFilter extends Transform {
  readonly #take: (line: string) => string | undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(take: (line: string) => string | undefined) {
    super();
    this.#take = take;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#pieces.push(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    this.#bytes += rest.length;
    if (this.#bytes > LINE_BYTES_MAX) {
      done(new CattlegridError("REQUEST_INVALID", "A line of the protocol is longer than 64 MiB."));
      return;
    }
    if (rest.length > 0) this.#pieces.push(rest);
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#pieces.length > 0) this.#finish();
    done();
  }

  #finish(): void {
    const line = Buffer.concat(this.#pieces).toString("utf8").replace(/\r$/, "");
    this.#pieces = [];
    this.#bytes = 0;
    if (line.trim() === "") return;
    const passed = this.#take(line);
    if (passed !== undefined) this.push(`${passed}\n`);
  }
}
