/** A program's output, and what the script around it says there, told apart. */
export interface Heard {
  output: readonly Buffer[];
  /** What was said, without the token. */
  words: readonly string[];
}

const WORD_BYTES_MAX = 64;

/** Takes what was said out of a stream of bytes that comes in pieces of any size, and copies none of the rest. */
export class WordFilter {
  readonly #mark: Buffer;
  #held: Buffer = Buffer.alloc(0);

  /** `token`: plain characters. */
  constructor(token: string) {
    this.#mark = Buffer.from(`\0${token} `);
  }

  take(bytes: Buffer): Heard {
    const parts = this.takeInOrder(bytes);
    return {
      output: parts.filter((part) => typeof part !== "string"),
      words: parts.filter((part) => typeof part === "string"),
    };
  }

  /** The same as it came: texts are words, without the token, and the rest is output. */
  takeInOrder(bytes: Buffer): readonly (Buffer | string)[] {
    const parts: (Buffer | string)[] = [];
    let rest = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    for (;;) {
      const at = this.#findMark(rest);
      if (at > 0) parts.push(rest.subarray(0, at));
      rest = rest.subarray(at);
      if (rest.length <= this.#mark.length) break;
      const end = rest.indexOf(";", this.#mark.length);
      if (end === -1 && rest.length < this.#mark.length + WORD_BYTES_MAX) break;
      parts.push(rest.toString("utf8", this.#mark.length, end === -1 ? rest.length : end));
      rest = rest.subarray(end === -1 ? rest.length : end + 1);
    }
    this.#held = rest;
    return parts;
  }

  /** What was held back as it could have become a word. */
  flush(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  /** Where the mark begins, or what could become one with more bytes; else the length. */
  #findMark(bytes: Buffer): number {
    const whole = bytes.indexOf(this.#mark);
    if (whole !== -1) return whole;
    // Bytes may be all zeros, so only those are looked at one by one that are too few for a mark.
    const from = Math.max(0, bytes.length - this.#mark.length + 1);
    for (let at = bytes.indexOf(0, from); at !== -1; at = bytes.indexOf(0, at + 1)) {
      if (this.#mark.compare(bytes, at, bytes.length, 0, bytes.length - at) === 0) return at;
    }
    return bytes.length;
  }
}
