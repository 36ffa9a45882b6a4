import type { TerminalEnding } from "../protocol/process.ts";
import { ACKNOWLEDGE_EVERY_BYTES } from "../protocol/process.ts";
import type { OutputChunk } from "./output-log.ts";

export type TerminalEvent =
  | ({ kind: "output" } & OutputChunk)
  /** Comes once, strictly after the last byte; `offset` is where the output ended. */
  | { kind: "ended"; ending: TerminalEnding; offset: number }
  /** The last one of a viewer of the screen that could not keep up; it may look at the screen anew. */
  | { kind: "behind" };

/** What an attachment needs from its terminal. */
export interface AttachmentSource {
  end(): number;
  ending(): TerminalEnding | undefined;
  read(offset: number): Promise<OutputChunk | undefined>;
  onAcknowledge(attachment: Attachment): void;
  onDetach(attachment: Attachment): void;
}

/**
 * One viewer of a terminal. It is sent at most `windowBytes` beyond what it acknowledged; the program is
 * held back by the fastest viewer, and what slower ones have not read is kept for them.
 */
export class Attachment {
  readonly #source: AttachmentSource;
  readonly #windowBytes: number;
  /** Whether it would rather see the newest screen than every byte. */
  readonly canSkip: boolean;
  #next: number;
  #acknowledged: number;
  #detached = false;
  #isBehind = false;
  #wake: (() => void) | undefined;
  #isChanged = false;

  constructor(
    source: AttachmentSource,
    from: { offset: number; windowBytes: number; canSkip: boolean },
  ) {
    this.#source = source;
    this.#windowBytes = from.windowBytes;
    this.canSkip = from.canSkip;
    this.#next = from.offset;
    this.#acknowledged = from.offset;
  }

  /** Offset of the first byte that this viewer has not consumed. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The events from the attachment's offset on; ends after `ended`, or when detached. */
  async *events(): AsyncGenerator<TerminalEvent, void, undefined> {
    try {
      while (!this.#detached) {
        this.#isChanged = false;
        const event = await this.#take();
        if (event === undefined) await this.#changed();
        else yield event;
        if (event?.kind === "ended" || event?.kind === "behind") return;
      }
    } finally {
      this.detach();
    }
  }

  /** Says that everything before `offset` was consumed. Smaller or impossible offsets change nothing. */
  acknowledge(offset: number): void {
    if (offset <= this.#acknowledged || offset > this.#next) return;
    this.#acknowledged = offset;
    this.#source.onAcknowledge(this);
    this.wake();
  }

  /** Leaves the terminal as it is; the program goes on. Idempotent. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#source.onDetach(this);
    this.wake();
  }

  /** Ends the viewer's events once it has consumed what it was sent: it is shown no more of what it missed. */
  fallBehind(): void {
    if (this.#isBehind) return;
    this.#isBehind = true;
    this.wake();
  }

  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Tells the viewer that the terminal has something new. */
  wake(): void {
    this.#isChanged = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  async #take(): Promise<TerminalEvent | undefined> {
    if (this.#isBehind) {
      // Whoever takes nothing is sent nothing more; acknowledgements come in steps.
      const isRead = this.#next - this.#acknowledged < ACKNOWLEDGE_EVERY_BYTES;
      return isRead ? { kind: "behind" } : undefined;
    }
    const end = this.#source.end();
    if (this.#next === end) {
      const ending = this.#source.ending();
      return ending && { kind: "ended", ending, offset: end };
    }
    const roomBytes = this.#windowBytes - (this.#next - this.#acknowledged);
    if (roomBytes <= 0) return undefined;
    const chunk = await this.#source.read(this.#next);
    if (chunk === undefined || this.#detached || this.#isBehind) return undefined;
    const bytes = chunk.bytes.length > roomBytes ? chunk.bytes.subarray(0, roomBytes) : chunk.bytes;
    this.#next += bytes.length;
    return { kind: "output", stream: chunk.stream, offset: chunk.offset, bytes };
  }

  async #changed(): Promise<void> {
    if (this.#detached || this.#isChanged) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
