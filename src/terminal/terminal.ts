import { asCattlegridError, CattlegridError } from "../errors/error.ts";
import type { TerminalEnding, TerminalSize } from "../protocol/process.ts";
import { ATTACHMENT_WINDOW_BYTES } from "../protocol/process.ts";
import type { ProcessEnding, SandboxProcess } from "../sandbox/process.ts";
import { Announcements } from "./announcements.ts";
import { Attachment, type AttachmentSource } from "./attachment.ts";
import { OutputLog, type OutputStream } from "./output-log.ts";
import type { Recording } from "./recordings.ts";
import type { Screen } from "./screen.ts";
import type { ScreenSnapshot } from "./screen-protocol.ts";
import { ViewerSizes } from "./viewer-sizes.ts";

export interface TerminalLimits {
  /** Unacknowledged bytes of one attachment after which it is sent no more, and the program is held. */
  windowBytes: number;
  /** Acknowledged bytes kept for the next viewer to see what was there. */
  replayBytes: number;
  /** Bytes kept in memory while nobody reads; more goes to disk. */
  memoryBytes: number;
  /** Bytes on disk after which the program is held until somebody reads. */
  spoolBytes: number;
  /** Bytes that a viewer of the screen may be behind; one that is further behind is shown the screen anew. */
  behindBytes: number;
}

export const TERMINAL_LIMITS: TerminalLimits = {
  windowBytes: ATTACHMENT_WINDOW_BYTES,
  replayBytes: 256 * 1024,
  memoryBytes: 1024 * 1024,
  spoolBytes: 64 * 1024 * 1024,
  behindBytes: 8 * 1024 * 1024,
};

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
  readonly #limits: TerminalLimits;
  readonly #log: OutputLog;
  readonly #options: TerminalOptions;
  readonly #attachments = new Set<Attachment>();
  readonly #sizes = new ViewerSizes();
  readonly #announcements = new Announcements(() => {
    for (const attachment of this.#attachments) attachment.wake();
  });
  #recording: Recording | undefined;
  #endedWith: TerminalEnding | undefined;
  /** As last set; undefined before. */
  #size: TerminalSize | undefined;
  #cause: "timed-out" | "stopped" | undefined;
  #acknowledged = 0;
  #inputBytes = 0;
  #hasExited = false;
  #isKilled = false;
  #isHeld = false;
  #isSpillBroken = false;
  #spilling: Promise<void> | undefined;

  constructor(options: TerminalOptions) {
    this.id = options.id;
    this.tty = options.tty;
    this.#options = options;
    this.#process = options.process;
    this.#recording = options.recording;
    this.#limits = { ...TERMINAL_LIMITS, ...options.limits };
    this.#log = new OutputLog(options.spoolDirectory, options.id);
    const { output, errors } = options.process;
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
    return this.#log.end + this.#inputBytes;
  }

  /** Offset after the last byte so far. */
  get end(): number {
    return this.#log.end;
  }

  /**
   * Adds a viewer that sees everything from `offset` on; without one, everything that is still kept.
   * Throws TERMINAL_OFFSET_GONE for an offset that was released or not reached.
   */
  attach(from: { offset?: number; canSkip?: boolean } = {}): Attachment {
    const offset = from.offset ?? this.#log.start;
    if (offset < this.#log.start || offset > this.#log.end) {
      throw new CattlegridError(
        "TERMINAL_OFFSET_GONE",
        `Offset ${offset} is not kept: this terminal holds ${this.#log.start} to ${this.#log.end}.`,
        { details: { start: this.#log.start, end: this.#log.end } },
      );
    }
    const attachment = new Attachment(this.#source(), {
      offset,
      windowBytes: this.#limits.windowBytes,
      canSkip: from.canSkip === true,
    });
    this.#attachments.add(attachment);
    this.#balance();
    return attachment;
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
    this.#isKilled = true;
    // Nobody may be reading: the rest has to flow before the ending can be told.
    this.#release();
    await this.#process.kill();
  }

  /** Ends the program, detaches every viewer, forgets the output. Idempotent. */
  async dispose(): Promise<void> {
    await this.kill();
    await this.ended;
    for (const attachment of this.#attachments) attachment.detach();
    this.#options.screen?.close();
    await this.#log.close();
    await this.#spilling;
  }

  #source(): AttachmentSource {
    return {
      end: () => this.#log.end,
      ending: () => this.#endedWith,
      read: (offset) => this.#log.read(offset),
      onAcknowledge: () => this.#balance(),
      onDetach: (attachment) => {
        this.#acknowledged = Math.max(this.#acknowledged, attachment.acknowledged);
        this.#attachments.delete(attachment);
        this.#balance();
      },
    };
  }

  /** Resolves when everything in the stream has reached the log. */
  async #pump(stream: OutputStream, readable: NodeJS.ReadableStream): Promise<void> {
    readable.on("data", (bytes: Buffer) => {
      this.#log.append(stream, bytes);
      this.#options.screen?.write(bytes);
      this.#recording?.output(bytes);
      this.#announcements.add(bytes.length);
      this.#balance();
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
    this.#announcements.now();
    return this.#endedWith;
  }

  /** Decides after each change what may be released, what goes to disk, and whether the program is held. */
  #balance(): void {
    const { windowBytes, replayBytes, memoryBytes, spoolBytes } = this.#limits;
    const offsets = this.#listOffsets();
    const [slowest, fastest] = [Math.min(...offsets), Math.max(...offsets)];
    if (offsets.length > 0) this.#acknowledged = slowest;
    void this.#log.discard(this.#acknowledged - replayBytes);
    const isFull = this.#isSpillBroken || this.#log.spooledBytes > spoolBytes;
    // The fastest viewer sets the pace; what slower ones have not read is kept for them as if nobody looked.
    const isPaced = offsets.length > 0 && this.#log.end - fastest > windowBytes;
    const isKeptForLater = offsets.length === 0 || this.#log.end - slowest > windowBytes;
    this.#hold(isPaced || (isFull && isKeptForLater));
    if (isPaced && slowest === fastest) return;
    if (isKeptForLater && this.#log.memoryBytes > memoryBytes) this.#startSpill();
  }

  /** How far each viewer has read. One that may skip and is far behind holds nothing back any more. */
  #listOffsets(): number[] {
    const earliest = this.#log.end - this.#limits.behindBytes;
    for (const viewer of this.#attachments) {
      if (viewer.canSkip && viewer.acknowledged < earliest) viewer.fallBehind();
    }
    return [...this.#attachments].flatMap((viewer) => (viewer.isBehind ? [] : viewer.acknowledged));
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

  #startSpill(): void {
    if (this.#isSpillBroken || this.#endedWith !== undefined) return;
    this.#spilling ??= this.#spill();
  }

  async #spill(): Promise<void> {
    try {
      await this.#log.spill(this.#limits.memoryBytes / 2);
    } catch (error) {
      this.#isSpillBroken = true;
      this.#options.onSpoolFailure?.(asCattlegridError(error, "DISK_FULL"));
    }
    this.#spilling = undefined;
    this.#balance();
  }

  #hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld || (isHeld && this.#isKilled)) return;
    this.#isHeld = isHeld;
    for (const readable of [this.#process.output, this.#process.errors]) {
      if (isHeld) readable?.pause();
      else readable?.resume();
    }
  }

  #release(): void {
    this.#hold(false);
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
