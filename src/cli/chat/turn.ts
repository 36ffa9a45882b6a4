import { CattlegridError } from "../../errors/error.ts";
import type { TurnCreate, TurnEvent } from "../../protocol/session.ts";
import { type Api, toError } from "../api.ts";
import type { Caller } from "../caller.ts";
import { TurnView } from "./turn-view.ts";

export type TurnEnd = Extract<TurnEvent, { type: "turn-end" }>;

export interface TurnOptions {
  api: Api;
  caller: Caller;
  sessionId: string;
  /** Aborted when the whole chat ends, which takes the turn with it. */
  signal: AbortSignal;
  output: "text" | "json";
}

/** One prompt on its way: its output is written as it comes, its end is the result. */
export class Turn {
  readonly #options: TurnOptions;
  #turnId: string | undefined;
  #isCancelled = false;
  readonly #view: TurnView;

  constructor(options: TurnOptions) {
    this.#options = options;
    this.#view = new TurnView(options.caller, options.output);
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** Whether the last byte on stdout left the cursor in the middle of a line. */
  get endsInLine(): boolean {
    return this.#view.endsInLine;
  }

  async run(request: TurnCreate): Promise<TurnEnd> {
    const { api, sessionId, signal } = this.#options;
    const path = `/v1/sessions/${sessionId}/turns`;
    for await (const event of api.events<TurnEvent>(path, { body: request, signal })) {
      if (event.type === "turn-start") await this.#start(event.turnId);
      await this.#view.show(event);
      if (event.type === "turn-end") return event;
      if (event.type === "problem") throw toError(event.problem);
    }
    throw new CattlegridError("DAEMON_UNREACHABLE", "The daemon ended while the turn ran.");
  }

  /** Ends the turn and keeps the conversation. One that has not begun is cancelled when it does. */
  async cancel(): Promise<void> {
    const wasCancelled = this.#isCancelled;
    this.#isCancelled = true;
    if (!wasCancelled && this.#turnId !== undefined) await this.#askToCancel(this.#turnId);
  }

  async #start(turnId: string): Promise<void> {
    this.#turnId = turnId;
    if (this.#isCancelled) await this.#askToCancel(turnId);
  }

  async #askToCancel(turnId: string): Promise<void> {
    const { api, sessionId } = this.#options;
    await api.post(`/v1/sessions/${sessionId}/turns/${turnId}/cancel`, {});
  }
}
