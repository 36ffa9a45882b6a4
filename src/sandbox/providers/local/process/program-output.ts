import { Readable } from "node:stream";
import { Socket } from "node:net";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { hasBytes } from "../../../../platform/native/descriptor.ts";

/** How long output may still come from processes that the program left behind, after its own end. */
const LEFT_BEHIND_MS = 500;
/** More than a pipe and a terminal hold: what was read after the program's end beyond this is not its own. */
const HELD_BYTES_MAX = 2 * 1024 * 1024;

/**
 * Everything a program wrote to a pipe or terminal, passed on without a copy.
 *
 * It ends when every writer is gone. Writers that the program left in the background do not keep it open: after the
 * program's end and a short while it ends too, but only once what the program wrote has been read.
 */
export class ProgramOutput extends Readable {
  /** Resolves when the last byte has been passed on, or nobody reads any more. Never rejects. */
  readonly done: Promise<void>;
  readonly #source: Socket;
  readonly #fd: number;
  #isOpen = true;
  #isLate = false;
  #isEmpty = true;
  #bytesSinceEnd = 0;
  #timer: NodeJS.Timeout | undefined;
  #markDone: () => void = () => undefined;

  /** Owns what `open` gives: it reads `fd`, and hands what it read to its argument. */
  constructor(fd: number, open: (take: (bytes: Buffer) => void) => Socket) {
    super({ highWaterMark: 64 * 1024 });
    this.#fd = fd;
    this.done = new Promise((resolve) => (this.#markDone = resolve));
    const source = open((bytes) => this.#take(bytes));
    this.#source = source;
    source.once("end", () => this.#finish());
    source.once("close", () => this.#finish());
    source.on("error", (error: Error) => this.#fail(error));
  }

  /** Whether the descriptor is still open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Says on behalf of a program that could not run why it did not, unless the runtime has said so here. */
  explain(text: string): void {
    if (this.#isOpen && this.#isEmpty && !hasBytes(this.#fd)) this.push(Buffer.from(text));
  }

  override _read(): void {
    if (this.#isOpen) this.#source.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#finish();
    callback(error);
  }

  /** The program itself has ended; `wasKilled` leaves nothing to wait for. */
  endProgram(wasKilled: boolean): void {
    if (!this.#isOpen || this.#isLate) return;
    clearTimeout(this.#timer);
    this.#bytesSinceEnd = 0;
    this.#timer = setTimeout(() => this.#becomeLate(), wasKilled ? 0 : LEFT_BEHIND_MS);
  }

  #take(bytes: Buffer): void {
    if (!this.#isOpen) return;
    this.#isEmpty = false;
    this.#bytesSinceEnd += bytes.length;
    if (!this.push(bytes)) this.#source.pause();
    if (this.#isLate) setImmediate(() => this.#finishIfRead());
  }

  #becomeLate(): void {
    this.#isLate = true;
    this.#finishIfRead();
  }

  #finishIfRead(): void {
    if (!this.#isOpen) return;
    if (this.#bytesSinceEnd >= HELD_BYTES_MAX || !this.#hasMore()) this.#finish();
  }

  /** A source that a slow reader holds keeps bytes that have left the descriptor already. */
  #hasMore(): boolean {
    return this.#source.readableLength > 0 || hasBytes(this.#fd);
  }

  #fail(error: Error): void {
    // A terminal that is hung up answers EIO where a pipe says that it ended.
    if (hasErrno(error, "EIO")) this.#finish();
    else this.destroy(error);
  }

  #finish(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    if (!this.destroyed) this.push(null);
    this.#source.destroy();
    this.#markDone();
  }
}

/** Takes over the reading end of a pipe. */
export function readPipe(readFd: number): ProgramOutput {
  return new ProgramOutput(readFd, (take) =>
    new Socket({ fd: readFd, readable: true, writable: false }).on("data", take),
  );
}
