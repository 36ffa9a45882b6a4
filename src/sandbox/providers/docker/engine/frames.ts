const HEADER_BYTES = 8;

export interface Frame {
  stream: "output" | "errors";
  bytes: Buffer;
}

/** Takes apart what an engine sends of a program without a terminal: both its streams in pieces on one connection. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);
  #stream: Frame["stream"] = "output";
  #left = 0;

  *take(bytes: Buffer): Generator<Frame> {
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (;;) {
      if (this.#left > 0 && rest.length > 0) {
        const part = rest.subarray(0, this.#left);
        this.#left -= part.length;
        rest = rest.subarray(part.length);
        yield { stream: this.#stream, bytes: part };
      }
      if (this.#left > 0 || rest.length < HEADER_BYTES) break;
      // 1 is standard output, 2 standard error; 0, standard input, does not come back.
      this.#stream = rest[0] === 2 ? "errors" : "output";
      this.#left = rest.readUInt32BE(4);
      rest = rest.subarray(HEADER_BYTES);
    }
    this.#held = rest;
  }
}
