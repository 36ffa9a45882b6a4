import type { TerminalEnding } from "../../protocol/process.ts";
import { type Caller, write } from "../caller.ts";
import { guardOutput } from "../output/guarded-output.ts";
import type { Signals } from "../signals.ts";
import { TerminalLink, type TerminalLinkOptions } from "./terminal-link.ts";

export type LinkTarget = Omit<TerminalLinkOptions, "sink">;

export interface PipeContext {
  caller: Caller;
  signals: Signals;
}

/** What a shell shows for a program that wrote into a closed pipe. */
const EXIT_CODE_SIGPIPE = 141;
/** A command that ignores two signals is ended by the third. */
const SIGNALS_UNTIL_KILL = 3;

/**
 * Joins a command inside to this process's own three streams until it ends. Signals go to the command, whose end
 * is then this verb's end.
 */
export async function pipeTerminal(
  target: LinkTarget,
  { caller, signals }: PipeContext,
): Promise<TerminalEnding> {
  let isReaderGone = false;
  const onReaderGone = (): void => {
    isReaderGone = true;
    if (target.isReadOnly === true) link[Symbol.dispose]();
    else link.control({ type: "kill" });
  };
  const guarded = guardOutput(caller, { isAnswered: false });
  const sink = {
    async output(bytes: Uint8Array) {
      caller.recorder?.output(bytes);
      if (!isReaderGone && !(await write(caller.output, guarded.output(bytes)))) onReaderGone();
    },
    async errors(bytes: Uint8Array) {
      caller.recorder?.output(bytes);
      await write(caller.errors, guarded.errors(bytes));
    },
  };
  using link = await TerminalLink.open({ ...target, sink });
  if (target.isReadOnly === true) return await link.ending;
  let received = 0;
  using _route = signals.handle((signal) => {
    received++;
    link.control(received < SIGNALS_UNTIL_KILL ? { type: "signal", signal } : { type: "kill" });
  });
  const input = new InputForwarder(caller, link);
  input.start();
  try {
    const ending = await link.ending;
    return isReaderGone ? { kind: "exited", code: EXIT_CODE_SIGPIPE } : ending;
  } finally {
    input.stop();
  }
}

/** Sends standard input inside, no faster than it is taken, and its end too. */
class InputForwarder {
  readonly #caller: Caller;
  readonly #link: TerminalLink;
  readonly #forward = (bytes: Buffer): void => void this.#send(bytes);
  readonly #end = (): void => this.#link.control({ type: "end-input" });

  constructor(caller: Caller, link: TerminalLink) {
    this.#caller = caller;
    this.#link = link;
  }

  start(): void {
    this.#caller.input.on("data", this.#forward);
    this.#caller.input.once("end", this.#end);
    this.#caller.input.resume();
  }

  stop(): void {
    this.#caller.input.off("data", this.#forward);
    this.#caller.input.off("end", this.#end);
    this.#caller.input.pause();
  }

  async #send(bytes: Buffer): Promise<void> {
    this.#caller.input.pause();
    await this.#link.sendInput(bytes);
    this.#caller.input.resume();
  }
}
