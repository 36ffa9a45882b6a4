import type { CattlegridError } from "../errors/error.ts";
import type { TerminalEnding, TerminalSize } from "../protocol/process.ts";
import type { ProcessEnding, SandboxProcess } from "../sandbox/process.ts";
import type { Attachment } from "./attachment.ts";
import { OutputFlow, type TerminalLimits } from "./output-flow.ts";
import type { OutputStream } from "./output-log.ts";
import type { Recording } from "./recordings.ts";
import type { Screen } from "./screen.ts";
import type { ScreenSnapshot } from "./screen-protocol.ts";
import { ViewerSizes } from "./viewer-sizes.ts";

export interface TerminalOptions {
  id: string;
  process: SandboxProcess;
  /** Whether the program has a controlling terminal; otherwise pipes. */
  tty: boolean;
  /** Directory for the overflow of detached output; exists, 0700. */
  spoolDirectory: string;
  /** The program is ended as `timed-out` after this long. Default: never. */
  timeoutMs?: number;
  limits?: Partial<TerminalLimits>;
  /** Follows what a program with a controlling terminal shows; disposed of with the terminal. */
  screen?: Screen;
  /** Gets everything that the program writes, from the first byte on. */
  recording?: Recording;
  /** Told when output cannot be kept on disk; the program is held, not ended. */
  onSpoolFailure?(error: CattlegridError): void;
}

/**
 * What one process inside a sandbox reads and writes through. It belongs to the engine and outlives its
 * viewers; no byte is lost or repeated across detach and re-attach, and `ended` follows the last one.
 */
export class Terminal {
  readonly id: string;
  readonly tty: boolean;
  /** Resolves when the program has ended and its last byte is in the log. Never rejects. */
  readonly ended: Promise<TerminalEnding>;
  readonly #process: SandboxProcess;
  readonly #flow: OutputFlow;
  readonly #options: TerminalOptions;
  readonly #sizes = new ViewerSizes();
  #recording: Recording | undefined;
  #endedWith: TerminalEnding | undefined;
  /** As last set; undefined before. */
  #size: TerminalSize | undefined;
  #cause: "timed-out" | "stopped" | undefined;
  #inputBytes = 0;
  #hasExited = false;

  constructor(options: TerminalOptions) {
    this.id = options.id;
    this.tty = options.tty;
    this.#options = options;
    this.#process = options.process;
    this.#recording = options.recording;
    const { output, errors } = options.process;
    this.#flow = new OutputFlow({
      ...options,
      terminalId: options.id,
      sources: errors === undefined ? [output] : [output, errors],
      ending: () => this.#endedWith,
    });
    const read = [this.#pump("output", output)];
    if (errors !== undefined) read.push(this.#pump("errors", errors));
    // A program that no longer reads is no fault of the terminal; its ending tells the story.
    options.process.input.on("error", () => this.#process.input.destroy());
    this.ended = this.#settle(read);
  }

  get endedWith(): TerminalEnding | undefined {
    return this.#endedWith;
  }

  /** Bytes of output and input so far. */
  get movedBytes(): number {
    return this.#flow.end + this.#inputBytes;
  }

  /** Offset after the last byte so far. */
  get end(): number {
    return this.#flow.end;
  }

  /**
   * Adds a viewer that sees everything from `offset` on; without one, everything that is still kept.
   * Throws TERMINAL_OFFSET_GONE for an offset that was released or not reached.
   */
  attach(from: { offset?: number; canSkip?: boolean } = {}): Attachment {
    return this.#flow.attach(from);
  }

  /**
   * Adds a viewer that begins with the screen as it is, and goes on with the exact bytes behind it. Without a screen it gets
   * everything that is still kept.
   */
  async attachToScreen(): Promise<{ attachment: Attachment; screen?: ScreenSnapshot }> {
    if (this.#options.screen?.isLost !== false) return { attachment: this.attach() };
    const attachment = this.attach({ offset: this.end, canSkip: true });
    const screen = await this.#options.screen.snapshot();
    if (screen !== undefined) return { attachment, screen };
    attachment.detach();
    return { attachment: this.attach() };
  }

  /** Sends input; resolves when the program may take more. Does nothing once the program ended. */
  async write(bytes: Uint8Array, viewer?: object): Promise<void> {
    if (viewer !== undefined) {
      this.#sizes.touch(viewer);
      this.#fit();
    }
    this.#inputBytes += bytes.length;
    const { input } = this.#process;
    if (this.#endedWith !== undefined || input.destroyed || input.writableEnded) return;
    if (input.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        input.off("drain", done);
        input.off("close", done);
        resolve();
      };
      input.on("drain", done);
      input.on("close", done);
    });
  }

  /** Closes the program's standard input, when that is a pipe. */
  endInput(): void {
    if (!this.tty && !this.#process.input.writableEnded) this.#process.input.end();
  }

  /** Records from here on, beginning with what is shown now. The one recording there is, if there is one. */
  async record(start: (size?: TerminalSize) => Recording): Promise<Recording> {
    if (this.#recording !== undefined) return this.#recording;
    const { attachment, screen } = await this.attachToScreen();
    attachment.detach();
    const recording = (this.#recording ??= start(screen?.size));
    if (screen !== undefined) recording.output(screen.bytes);
    return recording;
  }

  /** Says how large a viewer's window is; the size of the viewer who was active last counts. */
  resize(size: TerminalSize, viewer: object = this): void {
    this.#sizes.set(viewer, size);
    this.#fit();
  }

  /** A viewer with a size has gone; the terminal takes that of who was active before. */
  leave(viewer: object): void {
    this.#sizes.delete(viewer);
    this.#fit();
  }

  async signal(name: NodeJS.Signals): Promise<void> {
    if (this.#endedWith === undefined) await this.#process.signal(name);
  }

  /** Ends the program and all its children; the ending is then `stopped`, or the cause given. */
  async kill(cause: "timed-out" | "stopped" = "stopped"): Promise<void> {
    if (this.#endedWith !== undefined) return;
    if (!this.#hasExited) this.#cause ??= cause;
    this.#flow.letGo();
    await this.#process.kill();
  }

  /** Ends the program, detaches every viewer, forgets the output. Idempotent. */
  async dispose(): Promise<void> {
    await this.kill();
    await this.ended;
    this.#options.screen?.close();
    await this.#flow.close();
  }

  /** Resolves when everything in the stream has reached the log. */
  async #pump(stream: OutputStream, readable: NodeJS.ReadableStream): Promise<void> {
    readable.on("data", (bytes: Buffer) => {
      this.#options.screen?.write(bytes);
      this.#recording?.output(bytes);
      this.#flow.append(stream, bytes);
    });
    readable.on("error", () => readable.resume());
    await new Promise<void>((resolve) => {
      readable.once("end", resolve);
      readable.once("close", resolve);
    });
  }

  async #settle(read: readonly Promise<void>[]): Promise<TerminalEnding> {
    const { timeoutMs } = this.#options;
    const deadline =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => void this.kill("timed-out"), timeoutMs);
    const ending = await this.#process.ended;
    this.#hasExited = true;
    clearTimeout(deadline);
    // The process has pushed its last byte; it is in the log only once it was taken from the stream.
    await Promise.all(read);
    await this.#recording?.close();
    this.#endedWith = describeEnding(ending, this.#cause);
    this.#flow.announce();
    return this.#endedWith;
  }

  #fit(): void {
    const size = this.#sizes.current();
    if (size === undefined || !this.tty || this.#endedWith !== undefined) return;
    const isSame = size.columns === this.#size?.columns && size.rows === this.#size.rows;
    if (isSame) return;
    this.#size = size;
    this.#process.resize(size);
    this.#options.screen?.resize(size);
    this.#recording?.resize(size);
  }
}

function describeEnding(
  ending: ProcessEnding,
  cause: "timed-out" | "stopped" | undefined,
): TerminalEnding {
  if (cause === "timed-out") return { kind: "timed-out", code: 124 };
  if (cause === "stopped" && ending.kind !== "lost") return { kind: "stopped", code: ending.code };
  return ending;
}
