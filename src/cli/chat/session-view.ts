import { CattlegridError } from "../../errors/error.ts";
import type { Session, SessionEvent } from "../../protocol/session.ts";
import { type Api, toError } from "../api.ts";
import { type Caller, tell, terminalSize, write } from "../caller.ts";
import { exitCodeOfEnding } from "../terminal/ending.ts";
import { makePrintable, renderError } from "../output/error-text.ts";
import type { LinkTarget } from "../terminal/pipe.ts";
import { withRecorder } from "../terminal/recording.ts";
import type { Signals } from "../signals.ts";

export type SessionOutcome =
  | { kind: "ended"; exitCode: number }
  | { kind: "detached"; offset: number }
  | { kind: "ready" };

export interface SessionViewOptions {
  api: Api;
  caller: Caller;
  signals: Signals;
  session: Session;
  /** Whether the caller's terminal is given to the session's; else its streams. */
  hasTerminal: boolean;
  /** As bytes, and as the user writes them; none when the session cannot be left. */
  detachKeys?: { bytes: readonly number[]; text: string };
  /** Passes over terminals that the session had before this one. */
  firstTerminalId?: string;
  /** Of that terminal's output; default, with a terminal: its screen as it is, and what follows. */
  offset?: number;
  /** Nothing is sent inside. */
  isReadOnly?: boolean;
  /** Ends with `ready` once prompts can be sent; the events' connection stays until `close`. */
  stopsWhenReady?: boolean;
}

type TerminalStart = Extract<SessionEvent, { type: "terminal-start" }>;

/** Follows a session's events and joins each of its terminals to the caller's, one after the other. */
export class SessionView implements Disposable {
  readonly #options: SessionViewOptions;
  readonly #connection = new AbortController();
  readonly #left = Promise.withResolvers<SessionOutcome>();
  readonly #shownCodes = new Set<string>();
  #view: Promise<void> | undefined;
  #isRaw = false;
  #skipsUntil: string | undefined;
  /** Whether the user has seen the agent itself. */
  hasJoinedAgent = false;

  constructor(options: SessionViewOptions) {
    this.#options = options;
    this.#skipsUntil = options.firstTerminalId;
    // A failure that comes before anybody waits for it is told to whoever does.
    void Promise.allSettled([this.#left.promise]);
  }

  /** Resolves when the session ends, is ready (if asked to stop there) or is left by the user. */
  async follow(): Promise<SessionOutcome> {
    const outcome = await Promise.race([this.#read(), this.#left.promise]);
    if (outcome.kind !== "ready") this[Symbol.dispose]();
    return outcome;
  }

  /** Rejects or resolves with what becomes of a session that was ready. */
  get ending(): Promise<SessionOutcome> {
    return this.#left.promise;
  }

  [Symbol.dispose](): void {
    this.#connection.abort(new CattlegridError("INTERRUPTED", "The session was left."));
  }

  async #read(): Promise<SessionOutcome> {
    const { api, session } = this.#options;
    const signal = AbortSignal.any([api.signal, this.#connection.signal]);
    const events = api.events<SessionEvent>(`/v1/sessions/${session.id}/events`, { signal });
    for (;;) {
      const step = await events.next();
      if (step.done === true) break;
      const outcome = await this.#handle(step.value);
      if (outcome?.kind === "ready") void this.#readOn(events);
      if (outcome !== undefined) return outcome;
    }
    throw new CattlegridError("DAEMON_UNREACHABLE", "The daemon ended while the session ran.");
  }

  /** Keeps the connection that a leased session lives by, and notices the session's end. */
  async #readOn(events: AsyncGenerator<SessionEvent>): Promise<void> {
    try {
      for await (const event of events) {
        const outcome = await this.#handle(event);
        if (outcome?.kind === "ended") this.#left.resolve(outcome);
      }
      this.#left.reject(new CattlegridError("SESSION_ENDED", "The session has ended."));
    } catch (error) {
      this.#left.reject(error);
    }
  }

  async #handle(event: SessionEvent): Promise<SessionOutcome | undefined> {
    switch (event.type) {
      case "session-start":
        return undefined;
      case "notice":
        return this.#say(event.text);
      case "signed-in":
        return this.#say(`Signed in as ${event.account}.`);
      case "login-code":
        return this.#showCode(event.code, event.url);
      case "terminal-start":
        return this.#join(event);
      case "terminal-end":
        await this.#view;
        return undefined;
      case "session-ready":
        if (event.continued)
          this.#say("Goes on with the conversation so far; --new begins another.");
        return this.#options.stopsWhenReady === true ? { kind: "ready" } : undefined;
      case "session-end":
        await this.#view;
        if (event.problem !== undefined) {
          await write(this.#options.caller.errors, renderError(toError(event.problem)));
        }
        return { kind: "ended", exitCode: event.exitCode };
    }
  }

  #join(event: TerminalStart): undefined {
    if (this.#skipsUntil !== undefined && this.#skipsUntil !== event.terminalId) return;
    const isFirst = this.#skipsUntil === event.terminalId;
    this.#skipsUntil = undefined;
    if (event.purpose === "agent") this.hasJoinedAgent = true;
    const previous = this.#view;
    this.#view = (async () => {
      await previous;
      await this.#show(event, isFirst ? this.#joinFrom() : {});
    })();
    this.#view.catch((error: unknown) => this.#left.reject(error));
  }

  /** A terminal that was there before is shown as it is, one that begins meanwhile from its first byte. */
  #joinFrom(): Pick<LinkTarget, "offset" | "screen"> {
    const { offset, hasTerminal, caller } = this.#options;
    if (offset !== undefined) return { offset };
    return hasTerminal ? { screen: terminalSize(caller) } : {};
  }

  async #show(
    { terminalId, purpose }: TerminalStart,
    from: Pick<LinkTarget, "offset" | "screen">,
  ): Promise<void> {
    const { api, signals, hasTerminal, detachKeys, isReadOnly = false } = this.#options;
    // SECURITY: a sign-in shows codes, which are in no recording.
    const { caller: whole } = this.#options;
    const caller = purpose === "agent" ? whole : withRecorder(whole, undefined);
    const target = {
      socketPath: await api.socket(),
      terminalId,
      signal: api.signal,
      isReadOnly,
      ...from,
    };
    if (!hasTerminal) {
      const { pipeTerminal } = await import("../terminal/pipe.ts");
      refuseLost(await pipeTerminal(target, { caller, signals }));
      return;
    }
    const { viewTerminal } = await import("../terminal/terminal-view.ts");
    if (detachKeys !== undefined && purpose === "agent") {
      const keys = isReadOnly ? `${detachKeys.text} or ctrl-c` : detachKeys.text;
      const only = isReadOnly ? " You only look: nothing you type is sent." : "";
      tell(caller, `cattlegrid: ${keys} leaves the session, which goes on.${only}`);
    }
    this.#isRaw = true;
    try {
      const keys = detachKeys === undefined ? {} : { detachKeys: detachKeys.bytes };
      const end = await viewTerminal(target, { caller, ...keys });
      if (end.kind === "ended") refuseLost(end.ending);
      else this.#left.resolve(end);
    } finally {
      this.#isRaw = false;
    }
  }

  #showCode(code: string, url: string | null): undefined {
    const where = url === null ? "Confirm this code in the browser" : `Open ${url}`;
    const text = `${where}\n  code: ${code}`;
    if (this.#shownCodes.has(text)) return;
    this.#shownCodes.add(text);
    this.#say(`\n${text}\n`);
  }

  #say(text: string): undefined {
    // In raw mode a line feed only moves down.
    const lines = text.split("\n").map(makePrintable);
    const end = this.#isRaw ? "\r\n" : "\n";
    const start = this.#isRaw ? "\r" : "";
    this.#options.caller.errors.write(`${start}${lines.join(end)}${end}`);
  }
}

/** How the agent ended is told by the session; that its terminal is gone is told by nobody else. */
function refuseLost(ending: Parameters<typeof exitCodeOfEnding>[0]): void {
  if (ending.kind === "lost") exitCodeOfEnding(ending);
}
