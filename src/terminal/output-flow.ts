import { asCattlegridError, CattlegridError } from "../errors/error.ts";
import { ATTACHMENT_WINDOW_BYTES, type TerminalEnding } from "../protocol/process.ts";
import { Announcements } from "./announcements.ts";
import { Attachment, type AttachmentSource } from "./attachment.ts";
import { decideFlow } from "./flow.ts";
import { OutputLog, type OutputStream } from "./output-log.ts";

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

const TERMINAL_LIMITS: TerminalLimits = {
  windowBytes: ATTACHMENT_WINDOW_BYTES,
  replayBytes: 256 * 1024,
  memoryBytes: 1024 * 1024,
  spoolBytes: 64 * 1024 * 1024,
  behindBytes: 8 * 1024 * 1024,
};

export interface OutputFlowOptions {
  terminalId: string;
  /** Directory for the overflow of detached output; exists, 0700. */
  spoolDirectory: string;
  limits?: Partial<TerminalLimits>;
  /** What the program writes to; paused while it is held. */
  sources: readonly NodeJS.ReadableStream[];
  /** How the terminal ended, once it has; viewers are told it after the last byte. */
  ending(): TerminalEnding | undefined;
  /** Told when output cannot be kept on disk; the program is held, not ended. */
  onSpoolFailure?(error: CattlegridError): void;
}

/**
 * The way of a program's output to its viewers: kept by offset, in memory and on disk, until the slowest has read it, and the program
 * held back when nobody can take more.
 */
export class OutputFlow {
  readonly #options: OutputFlowOptions;
  readonly #limits: TerminalLimits;
  readonly #log: OutputLog;
  readonly #attachments = new Set<Attachment>();
  readonly #announcements = new Announcements(() => {
    for (const attachment of this.#attachments) attachment.wake();
  });
  #acknowledged = 0;
  #isHeld = false;
  #isLetGo = false;
  #isSpillBroken = false;
  #spilling: Promise<void> | undefined;

  constructor(options: OutputFlowOptions) {
    this.#options = options;
    this.#limits = { ...TERMINAL_LIMITS, ...options.limits };
    this.#log = new OutputLog(options.spoolDirectory, options.terminalId);
  }

  /** Offset after the last byte so far. */
  get end(): number {
    return this.#log.end;
  }

  append(stream: OutputStream, bytes: Buffer): void {
    this.#log.append(stream, bytes);
    this.#announcements.add(bytes.length);
    this.#balance();
  }

  /** Tells viewers at once what they may not have been told yet: the last bytes, or the ending. */
  announce(): void {
    this.#announcements.now();
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

  /** From now on the program is never held: it is being ended, and the rest has to flow before that can be told. */
  letGo(): void {
    this.#isLetGo = true;
    this.#hold(false);
  }

  /** Detaches every viewer and forgets the output. Idempotent. */
  async close(): Promise<void> {
    for (const attachment of this.#attachments) attachment.detach();
    await this.#log.close();
    await this.#spilling;
  }

  #source(): AttachmentSource {
    return {
      end: () => this.#log.end,
      ending: () => this.#options.ending(),
      read: (offset) => this.#log.read(offset),
      onAcknowledge: () => this.#balance(),
      onDetach: (attachment) => {
        this.#acknowledged = Math.max(this.#acknowledged, attachment.acknowledged);
        this.#attachments.delete(attachment);
        this.#balance();
      },
    };
  }

  /** Decides after each change what may be released, what goes to disk, and whether the program is held. */
  #balance(): void {
    const offsets = this.#listOffsets();
    if (offsets.length > 0) this.#acknowledged = Math.min(...offsets);
    void this.#log.discard(this.#acknowledged - this.#limits.replayBytes);
    const { end, memoryBytes, spooledBytes } = this.#log;
    const isSpillBroken = this.#isSpillBroken;
    const decided = decideFlow(
      { end, memoryBytes, spooledBytes, isSpillBroken, offsets },
      this.#limits,
    );
    this.#hold(decided.isHeld);
    if (decided.spills) this.#startSpill();
  }

  /** How far each viewer has read. One that may skip and is far behind holds nothing back any more. */
  #listOffsets(): number[] {
    const earliest = this.#log.end - this.#limits.behindBytes;
    for (const viewer of this.#attachments) {
      if (viewer.canSkip && viewer.acknowledged < earliest) viewer.fallBehind();
    }
    return [...this.#attachments].flatMap((viewer) => (viewer.isBehind ? [] : viewer.acknowledged));
  }

  #startSpill(): void {
    if (this.#isSpillBroken || this.#options.ending() !== undefined) return;
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
    if (isHeld === this.#isHeld || (isHeld && this.#isLetGo)) return;
    this.#isHeld = isHeld;
    for (const source of this.#options.sources) {
      if (isHeld) source.pause();
      else source.resume();
    }
  }
}
