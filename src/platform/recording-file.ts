import { createWriteStream, openSync, type WriteStream } from "node:fs";
import { CattlegridError } from "../errors/error.ts";

/** After this much a recording ends; it is no substitute for a log. */
const FILE_BYTES_MAX = 512 * 1024 * 1024;
/** What may wait for the disk before the recording ends: it never holds up what it records. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** A file that lines are added to while something goes on. Writing never waits. */
export class RecordingFile {
  readonly #stream: WriteStream;
  readonly #last: (reason: string) => string;
  #bytes = 0;
  #isOver = false;

  private constructor(stream: WriteStream, last: (reason: string) => string) {
    this.#stream = stream;
    this.#last = last;
    stream.on("error", () => {
      this.#isOver = true;
    });
  }

  /** Makes the file, which must not exist. `last` gives the line that tells why the file ends too early. */
  static open(path: string, last: (reason: string) => string): RecordingFile {
    try {
      // SECURITY: what a terminal showed is its owner's alone.
      const file = openSync(path, "wx", 0o600);
      return new RecordingFile(createWriteStream(path, { fd: file }), last);
    } catch (error) {
      throw explain(error as NodeJS.ErrnoException, path);
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  write(line: string): void {
    if (this.#isOver) return;
    this.#bytes += line.length;
    if (this.#bytes > FILE_BYTES_MAX) this.#stop("it became too large");
    else if (this.#stream.writableLength > WAITING_BYTES_MAX) this.#stop("the disk is too slow");
    else this.#stream.write(line);
  }

  /** Resolves when everything is in the file. Idempotent. */
  async close(): Promise<void> {
    this.#isOver = true;
    if (this.#stream.closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.once("close", resolve);
    this.#stream.end();
    await promise;
  }

  #stop(reason: string): void {
    this.#isOver = true;
    this.#stream.end(this.#last(reason));
  }
}

function explain(error: NodeJS.ErrnoException, path: string): CattlegridError {
  if (error.code === "EEXIST") {
    return new CattlegridError("USAGE", `${path} exists already.`, {
      hint: "Give the name of a file that is not there yet.",
    });
  }
  const message = `The recording ${path} cannot be written: ${error.message}`;
  return new CattlegridError("USAGE", message, { cause: error });
}
