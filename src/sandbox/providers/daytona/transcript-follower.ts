import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { asCattlegridError } from "../../../errors/error.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { AttachedOutput } from "../../guest/attached-output.ts";
import type { ProgramFiles } from "./program-files.ts";
import type { TerminalSocket } from "./terminal-socket.ts";
import type { Toolbox } from "./toolbox.ts";
import type { StreamName, Transcript } from "./transcript.ts";

/** What may wait here for its reader; the rest stays in the sandbox, which holds the program up at last. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
const WAITING_BYTES_RESUME = 1024 * 1024;
const BEGIN_TIMEOUT_MS = 30_000;
const PAUSE_MS = 200;
const PAUSE_MS_MAX = 5_000;
/** How long one that runs may be out of reach before it counts as lost. */
const UNREACHABLE_MS_MAX = 10 * 60_000;

export interface FollowerOptions {
  toolbox: Toolbox;
  files: ProgramFiles;
  transcript: Transcript;
  sinks: Partial<Record<StreamName, AttachedOutput>>;
  whyGone(): Promise<string | undefined>;
  signal: AbortSignal;
  /** Resolves when the signal aborts. */
  stopped: Promise<void>;
  logger: Logger;
}

/** The program's status, or why nobody knows it. */
export type TranscriptEnd = { code: number } | { lost: string };

type Outcome = TranscriptEnd | { isBehind: true } | { dropped: string; hasBegun: boolean };

/**
 * Brings a transcript out of a sandbox to its end, over as many connections as that takes, each from where the last came to.
 * The program is started by nobody here: what is lost and found again is the sight of it.
 */
export class TranscriptFollower {
  /** Comes after the last byte was given to the sinks. Never rejects. */
  readonly end: Promise<TranscriptEnd>;
  readonly #options: FollowerOptions;
  readonly #gaveUp = Promise.withResolvers<TranscriptEnd>();
  #isTakingAll = false;
  #drained = Promise.withResolvers<void>();

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.end = Promise.race([this.#follow(), this.#gaveUp.promise]).then((end) => {
      this.#flush();
      return end;
    });
  }

  /** Somebody has read. */
  flow(): void {
    if (this.#waitingBytes <= WAITING_BYTES_RESUME) this.#drained.resolve();
  }

  /** From here on nothing waits for a reader. */
  takeAll(): void {
    this.#isTakingAll = true;
    this.#drained.resolve();
  }

  giveUp(why: string): void {
    this.#gaveUp.resolve({ lost: why });
  }

  async #follow(): Promise<TranscriptEnd> {
    const { signal, stopped } = this.#options;
    let pauseMs = PAUSE_MS;
    let failingSinceMs: number | undefined;
    while (!signal.aborted) {
      const outcome = await this.#show();
      if ("code" in outcome || "lost" in outcome) return outcome;
      if ("isBehind" in outcome) {
        await Promise.race([this.#drained.promise, stopped]);
        continue;
      }
      this.#options.logger.debug("the sight of a program was lost", { why: outcome.dropped });
      if (outcome.hasBegun) [pauseMs, failingSinceMs] = [PAUSE_MS, undefined];
      failingSinceMs ??= performance.now();
      const gone = await this.#whyGone();
      if (gone !== undefined) return { lost: gone };
      if (performance.now() - failingSinceMs > UNREACHABLE_MS_MAX) return { lost: outcome.dropped };
      await Promise.race([delay(pauseMs), stopped]);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    }
    return { lost: "the sandbox was stopped" };
  }

  /** One connection, for as long as it holds. */
  async #show(): Promise<Outcome> {
    const { toolbox, signal } = this.#options;
    const id = `cattlegrid-${randomBytes(8).toString("hex")}`;
    let socket: TerminalSocket | undefined;
    try {
      socket = await toolbox.openTerminal(id, signal);
      return await this.#readFrom(socket);
    } catch (error) {
      return { dropped: asCattlegridError(error).message, hasBegun: false };
    } finally {
      socket?.close();
      // A connection that ends leaves the terminal, and what shows in it, where it is.
      if (!signal.aborted) void Promise.allSettled([toolbox.closeTerminal(id, signal)]);
    }
  }

  async #readFrom(socket: TerminalSocket): Promise<Outcome> {
    const { files, transcript, stopped } = this.#options;
    const token = randomBytes(8).toString("hex");
    const showing = transcript.begin(token);
    const outcome = Promise.withResolvers<Outcome>();
    socket.onBytes((bytes) => {
      const shown = showing.take(bytes);
      for (const { stream, bytes: piece } of shown.pieces) this.#give(stream, piece);
      for (const segment of shown.done) this.#forget(segment);
      if (shown.isGone === true) outcome.resolve({ lost: "its files in the sandbox are gone" });
      if (shown.over !== undefined) outcome.resolve({ code: shown.over });
      if (!this.#isTakingAll && this.#waitingBytes > WAITING_BYTES_MAX) {
        // Bytes that come after this are not taken, and come again.
        socket.close();
        this.#drained = Promise.withResolvers();
        outcome.resolve({ isBehind: true });
      }
    });
    const late = setTimeout(() => {
      if (!showing.hasBegun) outcome.resolve({ dropped: "nothing was shown", hasBegun: false });
    }, BEGIN_TIMEOUT_MS);
    socket.type(files.showCommand(token, transcript.place));
    try {
      const drop = (why: string): Outcome => ({ dropped: why, hasBegun: showing.hasBegun });
      return await Promise.race([
        outcome.promise,
        socket.closed.then(() => drop("the connection ended")),
        stopped.then(() => drop("the sandbox was stopped")),
      ]);
    } finally {
      clearTimeout(late);
    }
  }

  #give(stream: StreamName, bytes: Buffer): void {
    this.#options.sinks[stream]?.give(bytes);
  }

  #flush(): void {
    const { transcript, sinks } = this.#options;
    for (const stream of Object.keys(sinks) as StreamName[]) {
      const held = transcript.flush(stream);
      if (held.length > 0) this.#give(stream, held);
    }
  }

  #forget(segment: string): void {
    const { files, signal, logger } = this.#options;
    files.forget(segment, signal).catch((error: unknown) => {
      logger.debug("a segment of a transcript stays inside", { segment, error });
    });
  }

  get #waitingBytes(): number {
    const { out, err } = this.#options.sinks;
    return (out?.readableLength ?? 0) + (err?.readableLength ?? 0);
  }

  /** Whoever cannot be asked may be there again in a moment. */
  async #whyGone(): Promise<string | undefined> {
    try {
      return await this.#options.whyGone();
    } catch (error) {
      this.#options.logger.debug("the service cannot be asked about a sandbox", { error });
      return undefined;
    }
  }
}
