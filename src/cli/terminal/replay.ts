import { setTimeout as sleep } from "node:timers/promises";
import { CattlegridError } from "../../errors/error.ts";
import { RawTerminal } from "../../platform/raw-terminal.ts";
import type { Cast } from "../../protocol/asciicast.ts";
import { guardOutput } from "../output/guarded-output.ts";
import { type Caller, tell, terminalSize, write } from "../caller.ts";

export interface Pace {
  /** 2: twice as fast. */
  speed: number;
  /** The longest pause, in seconds of the recording. */
  idleLimitSeconds: number;
}

const CTRL_C = 0x03;
const Q = 0x71;
const SPACE = 0x20;

/**
 * Plays a recording on the caller's terminal: `q` or ctrl-c ends, the space bar pauses. Where there is no terminal, what was shown is
 * written at once. Throws USAGE when the window is smaller than the one that was recorded.
 */
export async function replay(cast: Cast, pace: Pace, caller: Caller): Promise<void> {
  if (!caller.output.isTTY || !caller.input.isTTY) return writeAtOnce(cast, caller);
  checkSize(cast, caller);
  using raw = await RawTerminal.open(caller.input, caller.output);
  using keys = new PlayerKeys(caller);
  const left = keys.left.signal;
  const guarded = guardOutput(caller, { isAnswered: false });
  let before = 0;
  for (const [at, kind, data] of cast.events) {
    const pauseSeconds = Math.min(Math.max(0, at - before), pace.idleLimitSeconds);
    before = at;
    await wait((pauseSeconds / pace.speed) * 1000, left);
    await keys.whilePaused();
    if (left.aborted) return;
    if (kind !== "o") continue;
    const shown = guarded.output(Buffer.from(data));
    raw.watch(shown);
    if (!(await write(caller.output, shown))) return;
  }
}

async function writeAtOnce(cast: Cast, caller: Caller): Promise<void> {
  const guarded = guardOutput(caller, { isAnswered: false });
  for (const [, kind, data] of cast.events) {
    if (kind !== "o") continue;
    if (!(await write(caller.output, guarded.output(Buffer.from(data))))) return;
  }
}

/** Of the largest window that the recording was made in. */
function checkSize({ header, events }: Cast, caller: Caller): void {
  const sizes = events.flatMap(([, kind, data]) => (kind === "r" ? [data.split("x")] : []));
  const columns = Math.max(header.width, ...sizes.map(([width]) => Number(width) || 0));
  const rows = Math.max(header.height, ...sizes.map(([, height]) => Number(height) || 0));
  const here = terminalSize(caller);
  if (here.columns >= columns && here.rows >= rows) return;
  const message = `The recording is ${columns}×${rows}, this terminal ${here.columns}×${here.rows}.`;
  throw new CattlegridError("USAGE", message, {
    hint: "Make the window larger, or take the recording elsewhere with --export FILE.",
  });
}

async function wait(durationMs: number, left: AbortSignal): Promise<void> {
  if (durationMs <= 0) return;
  await sleep(durationMs, undefined, { signal: left }).catch((error: unknown) => {
    if (!left.aborted) throw error;
  });
}

class PlayerKeys implements Disposable {
  readonly left = new AbortController();
  readonly #caller: Caller;
  #resume: (() => void) | undefined;
  #isPaused = false;
  readonly #onData = (bytes: Buffer): void => this.#press(bytes);

  constructor(caller: Caller) {
    this.#caller = caller;
    caller.input.on("data", this.#onData);
    caller.input.resume();
    caller.input.once("end", () => this.left.abort());
    tell(caller, "cattlegrid: replaying; q ends, the space bar pauses.\r");
  }

  async whilePaused(): Promise<void> {
    if (!this.#isPaused) return;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
  }

  [Symbol.dispose](): void {
    this.#caller.input.off("data", this.#onData);
    this.#caller.input.pause();
  }

  #press(bytes: Buffer): void {
    if (bytes.includes(SPACE)) this.#isPaused = !this.#isPaused;
    if (bytes.includes(Q) || bytes.includes(CTRL_C)) {
      this.#isPaused = false;
      this.left.abort();
    }
    if (!this.#isPaused) this.#resume?.();
  }
}
