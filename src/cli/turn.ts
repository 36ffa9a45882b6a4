import { CattlegridError } from "../errors/error.ts";
import type { TurnCreate, TurnEvent } from "../protocol/session.ts";
import { type Api, toError } from "./api.ts";
import { type Caller, write } from "./caller.ts";

export type TurnEnd = Extract<TurnEvent, { type: "turn-end" }>;

export interface TurnOptions {
  api: Api;
  caller: Caller;
  sessionId: string;
  /** Aborted when the whole chat ends, which takes the turn with it. */
  signal: AbortSignal;
  output: "text" | "json";
}

const LINE_FEED = 0x0a;

/** One prompt on its way: its output is written as it comes, its end is the result. */
export class Turn {
  readonly #options: TurnOptions;
  #turnId: string | undefined;
  #isCancelled = false;
  #lastByte = LINE_FEED;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** Whether the agent's last byte on stdout left the cursor in the middle of a line. */
  get endsInLine(): boolean {
    return this.#lastByte !== LINE_FEED;
  }

  async run(request: TurnCreate): Promise<TurnEnd> {
    const { api, sessionId, signal } = this.#options;
    const path = `/v1/sessions/${sessionId}/turns`;
    for await (const event of api.events<TurnEvent>(path, { body: request, signal })) {
      if (event.type === "turn-start") await this.#start(event.turnId);
      await this.#show(event);
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

  async #show(event: TurnEvent): Promise<void> {
    const { caller, output } = this.#options;
    if (output === "json") await this.#write(caller.output, `${JSON.stringify(event)}\n`);
    else if (event.type === "output-delta") {
      const bytes = Buffer.from(event.bytes, "base64");
      const isErrors = event.stream === "errors";
      if (!isErrors) this.#lastByte = bytes.at(-1) ?? this.#lastByte;
      await this.#write(isErrors ? caller.errors : caller.output, bytes);
    }
  }

  async #write(stream: NodeJS.WritableStream, bytes: string | Uint8Array): Promise<void> {
    const isTaken = await write(stream, bytes);
    if (isTaken || stream === this.#options.caller.errors) return;
    throw new CattlegridError("INTERRUPTED", "Nobody reads standard output any more.");
  }
}
