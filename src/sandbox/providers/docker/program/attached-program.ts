import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../../errors/error.ts";
import type { UpgradedConnection } from "../../../../platform/http-client.ts";
import { AttachedOutput } from "../../../guest/attached-output.ts";
import type { Engine } from "../engine/engine.ts";
import type { Announcement } from "../../../guest/program-start.ts";
import { FrameReader, type Frame } from "../engine/frames.ts";
import { WordFilter } from "../../../guest/spoken-word.ts";

/** How often the engine is asked about a program whose output nobody reads. */
const STALLED_POLL_MS = 300;
/** How long output may still come from processes that the program left behind, after its own end. */
const LEFT_BEHIND_MS = 500;
const ANNOUNCE_TIMEOUT_MS = 30_000;
const JUDGE_TRIES = 100;
const JUDGE_PAUSE_MS = 20;

export interface ProgramStart {
  engine: Engine;
  containerId: string;
  /** `1000:1000` and the like. */
  user: string;
  environment: readonly string[];
  hasTerminal: boolean;
  /** The command, given the token by which it speaks. */
  script(token: string): readonly string[];
}

export interface ProgramAnnouncement {
  word: Announcement;
  /** The leader of the program's session, in the sandbox's numbering. */
  leader: number;
}

/** What is known of a program's end: its status, or that the way to it broke. */
export type ProgramEnd = { code: number } | { lost: string };

/** A program that the engine runs in a container, with its streams. */
export class AttachedProgram {
  readonly output: AttachedOutput;
  /** Undefined on a terminal. */
  readonly errors: AttachedOutput | undefined;
  readonly socket: Socket;
  readonly exec: string;
  /** Never rejects. Comes after the last byte was given to the streams. */
  readonly ended: Promise<ProgramEnd>;
  readonly #engine: Engine;
  readonly #frames: FrameReader | undefined;
  readonly #words: Readonly<Record<Frame["stream"], WordFilter>>;
  readonly #announced = Promise.withResolvers<ProgramAnnouncement | undefined>();
  readonly #over = Promise.withResolvers<ProgramEnd>();
  #code: number | undefined;
  #isErrorsOver: boolean;
  #isClosed = false;
  /** The program has ended: whatever is under way is taken, read or not. */
  #isDraining = false;
  #stalled: NodeJS.Timeout | undefined;
  #late: NodeJS.Timeout | undefined;

  private constructor(
    start: ProgramStart,
    parts: { exec: string; token: string } & UpgradedConnection,
  ) {
    const { exec, token, socket, head } = parts;
    this.exec = exec;
    this.socket = socket;
    this.#engine = start.engine;
    this.#frames = start.hasTerminal ? undefined : new FrameReader();
    this.#words = { output: new WordFilter(token), errors: new WordFilter(token) };
    this.#isErrorsOver = start.hasTerminal;
    const onDrain = (): void => this.#flow();
    this.output = new AttachedOutput(onDrain);
    this.errors = start.hasTerminal ? undefined : new AttachedOutput(onDrain);
    this.ended = this.#over.promise;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    // What ended the connection makes no difference: the words say whether all has come.
    socket.on("error", () => this.#close());
    socket.once("end", () => this.#close());
    socket.once("close", () => this.#close());
    if (head.length > 0) this.#take(head);
  }

  static async start(start: ProgramStart, signal: AbortSignal): Promise<AttachedProgram> {
    const { engine, containerId, user, environment, hasTerminal } = start;
    const token = randomBytes(16).toString("hex");
    const argv = start.script(token);
    const wish = { argv, environment, user, hasTerminal, hasInput: true };
    const exec = await engine.createExec(containerId, wish, signal);
    const connection = await engine.startExec(exec, hasTerminal, signal);
    return new AttachedProgram(start, { exec, token, ...connection });
  }

  /** What became of it. Throws TIMED_OUT, INTERRUPTED, or PROVIDER_FAILED when nothing was said before its end. */
  async announced(signal: AbortSignal): Promise<ProgramAnnouncement> {
    const race = new AbortController();
    const stopped = AbortSignal.any([signal, race.signal]);
    const deadline = delay(ANNOUNCE_TIMEOUT_MS, undefined, { signal: stopped }).then(
      () => {
        throw new CattlegridError("TIMED_OUT", "The program was not started in time.");
      },
      () => {
        throw new CattlegridError("INTERRUPTED", "Starting the program was interrupted.");
      },
    );
    try {
      const found = await Promise.race([this.#announced.promise, deadline]);
      if (found !== undefined) return found;
    } finally {
      race.abort();
      await Promise.allSettled([deadline]);
    }
    const text = [this.output, this.errors].map((each) => String(each?.read() ?? "")).join("");
    throw new CattlegridError("PROVIDER_FAILED", `The program was not started: ${text.trim()}`);
  }

  /** Lets go of it, whatever it still says. Idempotent. */
  destroy(): void {
    this.#isDraining = true;
    this.socket.destroy();
    this.#close();
  }

  #take(bytes: Buffer): void {
    if (this.#isClosed) return;
    if (this.#frames === undefined) this.#hear("output", bytes);
    else for (const { stream, bytes: part } of this.#frames.take(bytes)) this.#hear(stream, part);
    if (this.#isBehind && !this.#isDraining) this.#stall();
  }

  #hear(stream: Frame["stream"], bytes: Buffer): void {
    const { output, words } = this.#words[stream].take(bytes);
    for (const part of output) this.#streamOf(stream)?.give(part);
    for (const word of words) this.#understand(stream, word);
  }

  #understand(stream: Frame["stream"], text: string): void {
    const [word = "", first = "", second = ""] = text.split(" ");
    if (stream === "errors") this.#isErrorsOver = true;
    else if (word === "exit") {
      this.#code = Number(first);
      this.#isDraining = true;
    } else this.#announced.resolve({ word: word as Announcement, leader: Number(first || second) });
    if (this.#isComplete) this.#late ??= setTimeout(() => this.#close(), LEFT_BEHIND_MS);
  }

  get #isComplete(): boolean {
    return this.#code !== undefined && this.#isErrorsOver;
  }

  get #isBehind(): boolean {
    return this.output.isFull || this.errors?.isFull === true;
  }

  #streamOf(stream: Frame["stream"]): AttachedOutput | undefined {
    return stream === "output" ? this.output : this.errors;
  }

  /** Nobody reads. The engine keeps what is under way for two seconds from the program's end, so that is watched for. */
  #stall(): void {
    this.socket.pause();
    this.#stalled ??= setInterval(() => void this.#lookForEnd(), STALLED_POLL_MS);
  }

  async #lookForEnd(): Promise<void> {
    try {
      if ((await this.#engine.inspectExec(this.exec)).Running) return;
    } catch (error) {
      // The engine is gone: what there is to read is all that will come.
      if (!CattlegridError.is(error)) throw error;
    }
    this.#isDraining = true;
    this.#flow();
  }

  #flow(): void {
    if (this.#isClosed || (this.#isBehind && !this.#isDraining)) return;
    clearInterval(this.#stalled);
    this.#stalled = undefined;
    this.socket.resume();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#stalled);
    clearTimeout(this.#late);
    for (const stream of ["output", "errors"] as const) {
      const held = this.#words[stream].flush();
      if (held.length > 0) this.#streamOf(stream)?.give(held);
    }
    this.#announced.resolve(undefined);
    this.output.finish();
    this.errors?.finish();
    this.socket.destroy();
    void this.#judge().then((end) => this.#over.resolve(end));
  }

  async #judge(): Promise<ProgramEnd> {
    if (this.#code !== undefined && this.#isErrorsOver) return { code: this.#code };
    if (this.#code !== undefined)
      return { lost: "the end of what it wrote to its errors did not arrive" };
    try {
      const code = await this.#askForCode();
      // Only a kill ends the script without its last word.
      return code > 128 ? { code } : { lost: "the connection to it ended" };
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      return { lost: error.message };
    }
  }

  /** The engine may hear of the end a little later than we do. */
  async #askForCode(): Promise<number> {
    for (let left = JUDGE_TRIES; ; left -= 1) {
      const { Running, ExitCode } = await this.#engine.inspectExec(this.exec);
      if (!Running && ExitCode !== null) return ExitCode;
      if (left === 0) return 0;
      await delay(JUDGE_PAUSE_MS);
    }
  }
}
