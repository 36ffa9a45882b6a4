import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import type { Session, SessionEvent, TurnCreate, TurnEvent } from "../protocol/session.ts";
import type { SessionChange, SessionRepository, SessionRow } from "../store/session-rows.ts";
import type { SandboxEnding } from "../sandbox/provider.ts";
import { chooseCommand } from "./chosen-command.ts";
import { runCommand } from "./command.ts";
import type { TurnSetup } from "../agent/agent.ts";
import type { CompiledConfiguration } from "../agent/configuration/configuration.ts";
import type { SessionContext } from "./context.ts";
import { isStillThere, type Conversation } from "./turn/conversation.ts";
import { createEventLog, type EventLog } from "./event-log.ts";
import { describeFailure } from "./problem.ts";
import { lendSignIn, signIn, signInUnasked } from "./sign-in/sign-in.ts";
import { isOver, nextSessionStatus, type SessionHappening } from "./status.ts";
import { runInTerminal } from "./terminal-run.ts";
import { untilAborted } from "./until-aborted.ts";
import { checkPrompt, createTurn, type Turn } from "./turn/turn.ts";

const EXIT_INTERRUPTED = 130;
const TAKE_BACK_TIMEOUT_MS = 10_000;

export interface LiveSessionOptions {
  row: SessionRow;
  context: Omit<SessionContext, "signal" | "report" | "sessionId" | "owner">;
  /** The conversation of the session before, which this one is to go on with when that can be done. */
  earlier?: string;
  repository: SessionRepository;
  logger: Logger;
  now(): Date;
  onReaders(count: number): void;
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
  readonly #events: EventLog<SessionEvent>;
  readonly #conversation: Conversation = { turns: 0, isResumable: false, isLost: false };
  /** Settles when turns can be run, or with the reason why none ever can. */
  readonly #ready = Promise.withResolvers<TurnSetup>();
  #row: SessionRow;
  #terminalId: string | undefined;
  #turn: Turn | undefined;
  #lossReason: string | undefined;

  constructor(options: LiveSessionOptions) {
    this.#options = options;
    this.#row = options.row;
    this.id = options.row.id;
    this.owner = options.row.owner;
    this.sandboxId = options.row.sandboxId;
    this.#events = createEventLog({ onReaders: (count) => options.onReaders(count) });
    this.#context = {
      ...options.context,
      sessionId: this.id,
      owner: options.row.owner,
      signal: this.#ending.signal,
      report: (event) => this.#report(event),
    };
    // Whoever runs a turn is told; without a turn the last event tells.
    this.#ready.promise.catch((error: unknown) => void error);
    void options.context.running.ended.then((ending) => this.#onSandboxEnded(ending));
    this.over = this.#run();
  }

  get isOver(): boolean {
    return isOver(this.#row.status);
  }

  view(): Session {
    return showSession(this.#row, this.#terminalId);
  }

  events(signal: AbortSignal): AsyncIterable<SessionEvent> {
    return this.#events.read(signal);
  }

  /** Whether a turn is under way. */
  get isWorking(): boolean {
    return this.#turn !== undefined;
  }

  /** Tells whoever looks. */
  tell(text: string): void {
    if (!this.isOver) this.#report({ type: "notice", text });
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
    if (turns === undefined || this.#row.kind !== "turns") throw this.#refuseTurns();
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
      save: () => this.#saveConversation(),
      signInRefused: () => this.#refreshSignIn({ isDoubted: true }),
    });
    this.#turn = turn;
    try {
      // A sign-in may have ended since the turn before, or been taken back.
      await this.#refreshSignIn();
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
      await this.#takeSignInBack();
      this.#turn = undefined;
    }
  }

  cancelTurn(turnId: string): void {
    if (this.#turn?.id === turnId) this.#turn.cancel();
  }

  async #run(): Promise<void> {
    // Nothing is told before whoever creates the session has it in hand.
    await Promise.resolve();
    this.#report({ type: "session-start", session: this.view() });
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
    if (isLogin || (!command.isStandalone && !this.#hasKey)) await this.#signIn();
    if (isLogin) return 0;
    if (this.#row.kind === "turns") return this.#serveTurns(configured);
    signal.throwIfAborted();
    await this.#advance("ready");
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
    await this.#takeSignInBack();
    return ending.code;
  }

  async #signIn(): Promise<void> {
    const { agent, request } = this.#context;
    const onLoginNeeded = (): Promise<void> => this.#advance("sign-in-needed");
    if (agent.signIn !== undefined) {
      return signIn(this.#context, agent.signIn, { onLoginNeeded });
    }
    if (agent.keptSignIn === undefined) return;
    if (request.login === undefined) return lendSignIn(this.#context);
    await onLoginNeeded();
    return signInUnasked(this.#context, agent.keptSignIn.login ?? agent.command);
  }

  get #hasKey(): boolean {
    const { agent, secrets } = this.#context;
    return agent.credentials.some((name) => (secrets[name] ?? "") !== "");
  }

  async #refreshSignIn(how: { isDoubted?: boolean } = {}): Promise<void> {
    if (!this.#hasKey) await this.#context.signIns?.refresh(this.#context, how);
  }

  /** What an agent made of its sign-in while it was at work; that it cannot be read is no failure of the work. */
  async #takeSignInBack(): Promise<void> {
    const { signIns, agent, running } = this.#context;
    if (signIns === undefined || this.#hasKey) return;
    const signal = AbortSignal.timeout(TAKE_BACK_TIMEOUT_MS);
    try {
      await signIns.takeBack({ running, agent, signal });
    } catch (error) {
      this.#options.logger.warn("a sign-in was not taken back", { id: this.id, error });
    }
  }

  async #serveTurns(configured: CompiledConfiguration | undefined): Promise<number> {
    const { agent, request } = this.#context;
    const version = await this.#readVersion();
    const change = configured?.arguments;
    const options = request.turnOptions ?? {};
    const setup = { version, options, ...(change === undefined ? {} : { arguments: change }) };
    agent.turns?.checkOptions?.(setup);
    await this.#goOn(setup);
    await this.#advance("ready");
    const continued = this.#conversation.isResumable;
    this.#report({ type: "session-ready", continued });
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
    this.#report({ type: "notice", text });
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
    await this.#advance(lost === undefined ? happening : "lost", {
      exitCode: last.exitCode,
      endedAt,
    });
    this.#report(last);
    this.#events.close();
    this.#context.secrets = {};
    this.#ending.abort(lost ?? new CattlegridError("SESSION_ENDED", "The session has ended."));
    this.#ready.reject(lost ?? new CattlegridError("SESSION_ENDED", "The session has ended."));
  }

  async #advance(happening: SessionHappening, change: SessionChange = {}): Promise<void> {
    const status = nextSessionStatus(this.#row.status, happening);
    if (status === undefined) return;
    this.#row = { ...this.#row, ...change, status };
    await this.#save({ ...change, status });
    this.#options.logger.info("session", { id: this.id, happening, status });
  }

  async #saveConversation(): Promise<void> {
    const { turns, id } = this.#conversation;
    const change = { turns, ...(id === undefined ? {} : { conversationId: id }) };
    this.#row = { ...this.#row, ...change };
    await this.#save(change);
  }

  /** The session goes on although its row cannot be written: the disk may be full, the agent works. */
  async #save(change: SessionChange): Promise<void> {
    try {
      await this.#options.repository.update(this.id, change);
    } catch (error) {
      this.#options.logger.error("a session could not be recorded", { id: this.id, error });
    }
  }

  #report(event: SessionEvent): void {
    if (event.type === "terminal-start") this.#terminalId = event.terminalId;
    if (event.type === "terminal-end") this.#terminalId = undefined;
    this.#events.append(event);
  }

  #refuseTurns(): CattlegridError {
    const { agent } = this.#context;
    const message = `This session of ${agent.title} takes no prompts.`;
    return new CattlegridError("AGENT_COMMAND_INVALID", message);
  }
}

export function showSession(row: SessionRow, terminalId?: string): Session {
  const { id, owner, sandboxId, agent, kind, status, turns, exitCode, createdAt } = row;
  const session: Session = { id, owner, sandboxId, agent, kind, status, turns, createdAt };
  if (terminalId !== undefined) session.terminalId = terminalId;
  if (exitCode !== undefined) session.exitCode = exitCode;
  return session;
}

function sandboxLost(reason: string): CattlegridError {
  return new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${reason}.`);
}
