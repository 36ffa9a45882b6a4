import { WordFilter } from "../../guest/spoken-word.ts";

export type StreamName = "out" | "err";

/** Where in a stream's transcript one is: a segment, and bytes of it. */
interface Position {
  segment: number;
  offset: number;
}

/** What came of a piece of the showing. */
export interface Shown {
  pieces: readonly { stream: StreamName; bytes: Buffer }[];
  /** Segments that are no longer needed. */
  done: readonly string[];
  /** The program's status, once everything of it has been shown. */
  over?: number;
  /** The program's files are not there. */
  isGone?: boolean;
}

/**
 * Follows what a guest program shows of a transcript: which bytes are whose, how far one is, and whether that is all. Knows
 * nothing of connections; each is a showing of its own from where the last one came to.
 */
export class Transcript {
  readonly #positions: Map<StreamName, Position>;
  /** Takes the marks out, which are part of the transcript and not of the program's output. */
  readonly #marks: Map<StreamName, WordFilter>;

  constructor(streams: readonly StreamName[], markToken: string) {
    this.#positions = new Map(streams.map((each) => [each, { segment: 0, offset: 0 }]));
    this.#marks = new Map(streams.map((each) => [each, new WordFilter(markToken)]));
  }

  /** The arguments by which a showing begins where we are. */
  get place(): string {
    return [...this.#positions.values()]
      .map(({ segment, offset }) => `${segment} ${offset}`)
      .join(" ");
  }

  /** `token`: by which the words of this showing are known. */
  begin(token: string): Showing {
    return new Showing(this, token);
  }

  /** Enters a segment; returns the one that is done with. */
  enter(stream: StreamName, segment: number): string | undefined {
    const position = this.#positions.get(stream);
    if (position === undefined || position.segment === segment) return undefined;
    const done = `${stream}.${position.segment}`;
    this.#positions.set(stream, { segment, offset: 0 });
    return done;
  }

  /** Counts bytes of the transcript and returns those of the program. */
  take(stream: StreamName, bytes: Buffer): readonly Buffer[] {
    const position = this.#positions.get(stream);
    if (position !== undefined) position.offset += bytes.length;
    return this.#marks.get(stream)?.take(bytes).output ?? [];
  }

  /** What was held back as it could have become a mark. */
  flush(stream: StreamName): Buffer {
    return this.#marks.get(stream)?.flush() ?? Buffer.alloc(0);
  }
}

/** One showing: everything before its first word is the terminal's echo of how it was asked for. */
export class Showing {
  readonly #transcript: Transcript;
  readonly #words: WordFilter;
  #stream: StreamName | undefined;
  #hasBegun = false;

  constructor(transcript: Transcript, token: string) {
    this.#transcript = transcript;
    this.#words = new WordFilter(token);
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  take(bytes: Buffer): Shown {
    const shown: {
      pieces: { stream: StreamName; bytes: Buffer }[];
      done: string[];
      over?: number;
      isGone?: boolean;
    } = {
      pieces: [],
      done: [],
    };
    for (const part of this.#words.takeInOrder(bytes)) {
      if (typeof part === "string") this.#understand(part, shown);
      else if (this.#stream !== undefined) {
        const stream = this.#stream;
        const pieces = this.#transcript.take(stream, part);
        shown.pieces.push(...pieces.map((piece) => ({ stream, bytes: piece })));
      }
    }
    return shown;
  }

  #understand(text: string, shown: { done: string[]; over?: number; isGone?: boolean }): void {
    const [word = "", argument = ""] = text.split(" ");
    this.#hasBegun = true;
    if (word === "gone") shown.isGone = true;
    if (word === "over") shown.over = Number(argument);
    if (word !== "out" && word !== "err") return;
    this.#stream = word;
    const done = this.#transcript.enter(word, Number(argument));
    if (done !== undefined) shown.done.push(done);
  }
}
