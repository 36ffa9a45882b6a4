import type { TurnSetup } from "../agent/agent.ts";
import type { CompiledConfiguration } from "../agent/configuration/configuration.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Session, SessionEvent, TurnCreate, TurnEvent } from "../protocol/session.ts";
import type { SandboxEnding } from "../sandbox/provider.ts";
import { chooseCommand } from "./chosen-command.ts";
import { runCommand } from "./command.ts";
import type { SessionContext } from "./context.ts";
import { describeFailure } from "./problem.ts";
import { SessionRecord, type SessionRecordOptions } from "./session-record.ts";
import { SessionSignIn } from "./sign-in/session-sign-in.ts";
import type { SessionHappening } from "./status.ts";
import { runInTerminal } from "./terminal-run.ts";
import { isStillThere, type Conversation } from "./turn/conversation.ts";
import { checkPrompt, createTurn, type Turn } from "./turn/turn.ts";
import { untilAborted } from "./until-aborted.ts";

const EXIT_INTERRUPTED = 130;

export interface LiveSessionOptions extends SessionRecordOptions {
  context: Omit<SessionContext, "signal" | "report" | "sessionId" | "owner">;
  /** The conversation of the session before, which this one is to go on with when that can be done. */
  earlier?: string;
  now(): Date;
}

/** One session while its engine lives: its phases one after the other, its events, its turns. */
export class LiveSession {
  readonly id: string;
  readonly owner: string;
  readonly sandboxId: string;
  /** Resolves when the session is over and nothing of it is left. Never rejects. */
  readonly over: Promise<void>;
  readonly #options: LiveSessionOptions;
  readonly #context: SessionContext;
  readonly #ending = new AbortController();
  readonly #record: SessionRecord;
  readonly #signIn: SessionSignIn;
  readonly #conversation: Conversation = { turns: 0, isResumable: false, isLost: false };
  /** Settles when turns can be run, or with the reason why none ever can. */
  readonly #ready = Promise.withResolvers<TurnSetup>();
  #turn: Turn | undefined;
  #lossReason: string | undefined;

  constructor(options: LiveSessionOptions) {
    this.#options = options;
    this.id = options.row.id;
    this.owner = options.row.owner;
    this.sandboxId = options.row.sandboxId;
    this.#record = new SessionRecord(options);
    this.#context = {
      ...options.context,
      sessionId: this.id,
      owner: options.row.owner,
      signal: this.#ending.signal,
      report: (event) => this.#record.report(event),
    };
    this.#signIn = new SessionSignIn(this.#context, options.logger);
    // Whoever runs a turn is told; without a turn the last event tells.
    this.#ready.promise.catch((error: unknown) => void error);
    void options.context.running.ended.then((ending) => this.#onSandboxEnded(ending));
    this.over = this.#run();
  }

  get isOver(): boolean {
    return this.#record.isOver;
  }

  view(): Session {
    return this.#record.view();
  }

  events(signal: AbortSignal): AsyncIterable<SessionEvent> {
    return this.#record.events(signal);
  }

  /** Whether a turn is under way. */
  get isWorking(): boolean {
    return this.#turn !== undefined;
  }

  /** Tells whoever looks. */
  tell(text: string): void {
    if (!this.isOver) this.#record.report({ type: "notice", text });
  }

  async end(): Promise<void> {
    this.#ending.abort(new CattlegridError("SESSION_ENDED", "The session was ended."));
    await this.over;
  }

  /** What the session stood on is gone. */
  async lose(reason: string): Promise<void> {
    this.#lossReason ??= reason;
    await this.end();
  }

  async *turn(request: TurnCreate, reader: AbortSignal): AsyncGenerator<TurnEvent> {
    const { turns } = this.#context.agent;
    if (turns === undefined || this.#record.row.kind !== "turns") throw this.#refuseTurns();
    checkPrompt(turns, request);
    const setup = await untilAborted(this.#ready.promise, reader);
    if (this.isOver) throw new CattlegridError("SESSION_ENDED", "The session has ended.");
    if (this.#turn !== undefined) {
      throw new CattlegridError("TURN_IN_PROGRESS", "This session is still busy with a turn.");
    }
    const turn = createTurn({
      context: this.#context,
      turns,
      setup,
      conversation: this.#conversation,
      request,
      save: () => this.#record.saveConversation(this.#conversation),
      signInRefused: () => this.#signIn.refresh({ isDoubted: true }),
    });
    this.#turn = turn;
    try {
      // A sign-in may have ended since the turn before, or been taken back.
      await this.#signIn.refresh();
    } catch (error) {
      this.#turn = undefined;
      throw error;
    }
    const cancel = (): void => turn.cancel();
    const signal = AbortSignal.any([reader, this.#ending.signal]);
    signal.addEventListener("abort", cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      yield* turn.run();
    } finally {
      signal.removeEventListener("abort", cancel);
      await this.#signIn.takeBack();
      this.#turn = undefined;
    }
  }

  cancelTurn(turnId: string): void {
    if (this.#turn?.id === turnId) this.#turn.cancel();
  }

  async #run(): Promise<void> {
    // Nothing is told before whoever creates the session has it in hand.
    await Promise.resolve();
    this.#record.report({ type: "session-start", session: this.view() });
    try {
      const exitCode = await this.#live();
      await this.#finish("ended", { type: "session-end", exitCode });
    } catch (error) {
      await this.#fail(error);
    }
  }

  /** Returns the exit status of the session. */
  async #live(): Promise<number> {
    const { agent, request, secrets, signal, configure, running } = this.#context;
    const isLogin = request.login !== undefined;
    const configured = await configure?.(running, request.turnOptions ?? {}, signal);
    const command = chooseCommand(agent, request, configured);
    if (isLogin || (!command.isStandalone && !this.#signIn.hasKey))
      await this.#signIn.ensure({ onLoginNeeded: () => this.#record.advance("sign-in-needed") });
    if (isLogin) return 0;
    if (this.#record.row.kind === "turns") return this.#serveTurns(configured);
    signal.throwIfAborted();
    await this.#record.advance("ready");
    const ending = await runInTerminal(this.#context, {
      purpose: "agent",
      request: {
        argv: command.argv,
        environment: request.environment ?? {},
        // SECURITY: the caller's key, for the agent's process tree and no other.
        secrets,
        ...(request.terminal === undefined ? {} : { terminal: request.terminal }),
      },
    });
    if (ending.kind === "lost") this.#lossReason ??= ending.reason;
    await this.#signIn.takeBack();
    return ending.code;
  }

  async #serveTurns(configured: CompiledConfiguration | undefined): Promise<number> {
    const { agent, request } = this.#context;
    const version = await this.#readVersion();
    const change = configured?.arguments;
    const options = request.turnOptions ?? {};
    const setup = { version, options, ...(change === undefined ? {} : { arguments: change }) };
    agent.turns?.checkOptions?.(setup);
    await this.#goOn(setup);
    await this.#record.advance("ready");
    const continued = this.#conversation.isResumable;
    this.#record.report({ type: "session-ready", continued });
    this.#ready.resolve(setup);
    const { signal } = this.#ending;
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    return 0;
  }

  /** Takes the earlier conversation up, or says that this one begins anew. */
  async #goOn(setup: TurnSetup): Promise<void> {
    const { earlier } = this.#options;
    const { turns } = this.#context.agent;
    if (earlier === undefined || turns === undefined) return;
    if (await isStillThere({ context: this.#context, turns, setup }, earlier)) {
      Object.assign(this.#conversation, { id: earlier, isResumable: true });
      return;
    }
    const text = "The earlier conversation cannot be gone on with; this one begins anew.";
    this.#record.report({ type: "notice", text });
  }

  async #readVersion(): Promise<string> {
    const { agent, running, signal, report } = this.#context;
    if (agent.install === undefined) return "";
    const { check, readVersion } = agent.install;
    const result = await runCommand(running, { request: { argv: check }, signal });
    const version = readVersion(result) ?? "";
    const notice = agent.turns?.versionNotice(version);
    if (notice !== undefined) report({ type: "notice", text: notice });
    return version;
  }

  #onSandboxEnded(ending: SandboxEnding): void {
    if (ending.kind === "died") this.#lossReason ??= ending.reason;
    this.#ending.abort(new CattlegridError("SANDBOX_LOST", "The sandbox does not run any more."));
  }

  async #fail(error: unknown): Promise<void> {
    this.#ready.reject(error);
    if (CattlegridError.is(error, "SESSION_ENDED")) {
      return this.#finish("ended", { type: "session-end", exitCode: EXIT_INTERRUPTED });
    }
    if (CattlegridError.is(error, "SANDBOX_LOST")) this.#lossReason ??= error.message;
    const { problem, exitCode } = describeFailure(error, this.#context.secrets);
    this.#options.logger.warn("session failed", { id: this.id, code: problem.code });
    await this.#finish("ended", { type: "session-end", exitCode, problem });
  }

  async #finish(
    happening: SessionHappening,
    end: SessionEvent & { type: "session-end" },
  ): Promise<void> {
    const lost = this.#lossReason === undefined ? undefined : sandboxLost(this.#lossReason);
    const last = lost === undefined ? end : { ...end, ...describeFailure(lost, {}) };
    const endedAt = this.#options.now().toISOString();
    await this.#record.advance(lost === undefined ? happening : "lost", {
      exitCode: last.exitCode,
      endedAt,
    });
    this.#record.close(last);
    this.#context.secrets = {};
    this.#ending.abort(lost ?? new CattlegridError("SESSION_ENDED", "The session has ended."));
    this.#ready.reject(lost ?? new CattlegridError("SESSION_ENDED", "The session has ended."));
  }

  #refuseTurns(): CattlegridError {
    const { agent } = this.#context;
    const message = `This session of ${agent.title} takes no prompts.`;
    return new CattlegridError("AGENT_COMMAND_INVALID", message);
  }
}

function sandboxLost(reason: string): CattlegridError {
  return new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${reason}.`);
}
