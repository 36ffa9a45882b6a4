import type { TerminalSize } from "../protocol/process.ts";
import type { ScreenAnswer, ScreenRequest, ScreenSnapshot } from "./screen-protocol.ts";
import { extractSettings } from "./skipped-output.ts";

/** Bytes that may be on their way to the thread; more waits here. */
const UNDER_WAY_BYTES_MAX = 256 * 1024;
/** Bytes that may wait; of more, the oldest are skipped. */
const WAITING_BYTES_MAX = 2 * 1024 * 1024;
/** How long output is collected before it is sent: many small pieces cost one message. */
const COLLECTED_MS = 20;

/**
 * After a full batch the thread rests for this many times as long as the batch took: parsing a fast program's output as it comes would
 * take the processor that moves its bytes, for lines that scroll by. Whoever asks for a snapshot does not wait for it.
 */
const REST_FACTOR = 4;
const REST_MS_MAX = 250;

const LINE_FEED = 0x0a;

export interface ScreenOptions {
  screenId: number;
  size: TerminalSize;
  send(request: ScreenRequest): void;
  onClose(): void;
}

/**
 * The engine's end of a headless screen. Writing costs the byte path a push onto a list: the screen may lag behind, and when a program
 * writes faster than it can be parsed, what scrolled by in between is skipped.
 */
export class Screen {
  readonly #options: ScreenOptions;
  readonly #snapshots: ((snapshot: ScreenSnapshot | undefined) => void)[] = [];
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #underWayBytes = 0;
  #sentAtMs = 0;
  #isBusy = false;
  #timer: NodeJS.Timeout | undefined;
  #isOpen = false;
  #isLost = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** Whether there will be no snapshot any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  write(bytes: Buffer): void {
    if (this.#isLost) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#skip();
    if (this.#underWayBytes > 0) return;
    this.#timer ??= setTimeout(() => this.#flush(), COLLECTED_MS).unref();
  }

  resize(size: TerminalSize): void {
    if (this.#isLost) return;
    this.#flush(Infinity);
    this.#send({ kind: "resize", screenId: this.#options.screenId, size });
  }

  /** The screen after everything that was written so far; undefined when it is lost. */
  async snapshot(): Promise<ScreenSnapshot | undefined> {
    if (this.#isLost) return undefined;
    this.#flush(Infinity);
    return new Promise((resolve) => {
      this.#snapshots.push(resolve);
      this.#send({ kind: "snapshot", screenId: this.#options.screenId });
    });
  }

  receive(answer: ScreenAnswer): void {
    if (answer.kind === "snapshot") {
      this.#snapshots.shift()?.({ bytes: answer.bytes, size: answer.size });
      return;
    }
    this.#underWayBytes -= answer.bytes;
    if (this.#underWayBytes > 0) return;
    if (this.#isBusy) this.#rest();
    else this.#flush();
  }

  /** The thread is gone. */
  lose(): void {
    this.#isLost = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    clearTimeout(this.#timer);
    for (const resolve of this.#snapshots.splice(0)) resolve(undefined);
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isLost && this.#isOpen) {
      this.#send({ kind: "close", screenId: this.#options.screenId });
    }
    this.lose();
    this.#options.onClose();
  }

  #rest(): void {
    const restMs = Math.min(REST_MS_MAX, REST_FACTOR * (performance.now() - this.#sentAtMs));
    this.#timer ??= setTimeout(() => this.#flush(), restMs).unref();
  }

  #flush(limitBytes = UNDER_WAY_BYTES_MAX): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const taken: Buffer[] = [];
    let count = 0;
    while (this.#waiting[0] !== undefined && count < limitBytes) {
      const next = this.#waiting.shift();
      if (next !== undefined) taken.push(next);
      count += next?.length ?? 0;
    }
    if (count === 0) return;
    this.#waitingBytes -= count;
    this.#underWayBytes += count;
    this.#sentAtMs = performance.now();
    this.#isBusy = count >= limitBytes;
    const bytes = new Uint8Array(count);
    let at = 0;
    for (const part of taken) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#send({ kind: "write", screenId: this.#options.screenId, bytes });
  }

  /** Keeps the newer half, from the beginning of a line on. */
  #skip(): void {
    const skipped: Buffer[] = [];
    while (this.#waitingBytes > WAITING_BYTES_MAX / 2 && this.#waiting.length > 1) {
      const oldest = this.#waiting.shift() ?? Buffer.alloc(0);
      this.#waitingBytes -= oldest.length;
      skipped.push(oldest);
    }
    const first = this.#waiting[0] ?? Buffer.alloc(0);
    const lineFeed = first.indexOf(LINE_FEED);
    this.#waiting[0] = first.subarray(lineFeed + 1);
    this.#waiting.unshift(extractSettings(Buffer.concat(skipped)));
    this.#waitingBytes = this.#waiting.reduce((sum, { length }) => sum + length, 0);
  }

  #send(request: ScreenRequest): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      const { screenId, size, send } = this.#options;
      send({ kind: "open", screenId, size });
    }
    this.#options.send(request);
  }
}
