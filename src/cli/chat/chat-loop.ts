import { CattlegridError } from "../../errors/error.ts";
import { tell } from "../caller.ts";
import { makePrintable, renderError } from "../output/error-text.ts";
import { type PromptSource, TypedPrompts } from "./prompts.ts";
import type { Signals } from "../signals.ts";
import { Turn, type TurnEnd, type TurnOptions } from "./turn.ts";

export interface ChatOptions extends Omit<TurnOptions, "signal"> {
  signals: Signals;
  slash: boolean;
  turnTimeoutMs?: number;
}

const ASK_AGAIN = "Press Ctrl+C again, or Ctrl+D, to end the chat.";
const EXIT_CODE_INTERRUPTED = 130;

/** Prompt by prompt until there are no more, the user ends it, or, in a script, a turn does not succeed. */
export class ChatLoop {
  readonly #options: ChatOptions;
  readonly #end = new AbortController();
  #turn: Turn | undefined;
  #interrupts = 0;
  #prompts: PromptSource | undefined;

  constructor(options: ChatOptions) {
    this.#options = options;
  }

  /** Resolves with the exit status. `open` makes the source once the terminal is free for it. */
  async run(open: (onInterrupt: () => void) => PromptSource): Promise<number> {
    const { signals } = this.#options;
    const prompts = open(() => this.#interrupt());
    this.#prompts = prompts;
    using _route = signals.handle((signal) => {
      if (signal !== "SIGINT") return true;
      this.#interrupt();
      return false;
    });
    try {
      return await (prompts.isInteractive ? this.#converse(prompts) : this.#follow(prompts));
    } finally {
      prompts.close();
    }
  }

  /** An interactive end is no failure, whatever the last turn was. */
  async #converse(prompts: PromptSource): Promise<number> {
    for (;;) {
      const prompt = await prompts.next();
      if (prompt === undefined || this.#end.signal.aborted) return 0;
      try {
        await this.#take(prompt);
      } catch (error) {
        if (this.#end.signal.aborted) return 0;
        if (!CattlegridError.is(error) || !GOES_ON_AFTER.has(error.code)) throw error;
        this.#options.caller.errors.write(renderError(error));
      }
    }
  }

  async #follow(prompts: PromptSource): Promise<number> {
    for (;;) {
      const prompt = await prompts.next();
      if (this.#isInterrupted) return EXIT_CODE_INTERRUPTED;
      if (prompt === undefined) return 0;
      const exitCode = await this.#takeInScript(prompt);
      if (this.#isInterrupted) return EXIT_CODE_INTERRUPTED;
      if (exitCode !== 0) return exitCode;
    }
  }

  async #takeInScript(prompt: string): Promise<number> {
    try {
      return (await this.#take(prompt)).exitCode;
    } catch (error) {
      if (this.#end.signal.aborted) return EXIT_CODE_INTERRUPTED;
      throw error;
    }
  }

  get #isInterrupted(): boolean {
    return this.#end.signal.aborted || this.#interrupts > 0;
  }

  async #take(prompt: string): Promise<TurnEnd> {
    const { api, slash, turnTimeoutMs, caller } = this.#options;
    const signal = AbortSignal.any([api.signal, this.#end.signal]);
    const turn = new Turn({ ...this.#options, signal });
    this.#turn = turn;
    this.#interrupts = 0;
    try {
      const end = await turn.run({
        prompt,
        ...(slash ? { slash } : {}),
        ...(turnTimeoutMs === undefined ? {} : { timeoutMs: turnTimeoutMs }),
      });
      this.#finishLine(turn);
      if (end.outcome !== "succeeded") tell(caller, describeOutcome(end));
      return end;
    } finally {
      this.#turn = undefined;
    }
  }

  /** On a screen the next prompt begins at the left; in a file nothing is added to what the agent wrote. */
  #finishLine(turn: Turn): void {
    const { output, errors } = this.#options.caller;
    if (turn.endsInLine && output.isTTY && errors.isTTY) errors.write("\n");
  }

  /** The first one cancels the turn; a second one, while that is going on or right after it, ends the chat. */
  #interrupt(): void {
    this.#interrupts++;
    if (this.#interrupts > 1) this.#stop();
    else if (this.#turn !== undefined) this.#cancel(this.#turn);
    else if (this.#prompts instanceof TypedPrompts) this.#prompts.askAgain(ASK_AGAIN);
    else this.#stop();
  }

  #cancel(turn: Turn): void {
    // A turn that cannot be cancelled any more has an end of its own.
    turn.cancel().catch((error: unknown) => {
      if (!CattlegridError.is(error)) throw error;
    });
  }

  #stop(): void {
    this.#end.abort(new CattlegridError("INTERRUPTED", "The chat was ended."));
    this.#prompts?.close();
  }
}

/** Mistakes of one prompt, which leave the session as it was. */
const GOES_ON_AFTER: ReadonlySet<string> = new Set([
  "PROMPT_INVALID",
  "PROMPT_IS_COMMAND",
  "PROMPT_EMPTY",
  "AGENT_RESUME_LOST",
  "COMMAND_ARGUMENT_TOO_LONG",
  "TURN_IN_PROGRESS",
]);

const OUTCOMES: Readonly<Record<Exclude<TurnEnd["outcome"], "succeeded">, string>> = {
  failed: "The turn failed",
  unknown: "It is not known whether the turn succeeded",
  cancelled: "The turn was cancelled",
  "timed-out": "The turn passed its deadline",
};

function describeOutcome({ outcome, reason }: TurnEnd): string {
  const what = outcome === "succeeded" ? "The turn succeeded" : OUTCOMES[outcome];
  return `cattlegrid: ${makePrintable(reason === null ? `${what}.` : `${what}: ${reason}`)}`;
}
