import { randomUUID } from "node:crypto";
import type { AgentAdapter } from "../agent/agent.ts";
import type { AgentRegistry } from "../agent/registry.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import type { Bindings } from "../protocol/secret.ts";
import type {
  Session,
  SessionCreate,
  SessionEvent,
  TurnCreate,
  TurnEvent,
} from "../protocol/session.ts";
import type { Configure } from "../sandbox/configuration/configuring.ts";
import type { RunningSandbox } from "../sandbox/provider.ts";
import { findAgent } from "../sandbox/registry.ts";
import type { Sandboxes } from "../sandbox/sandboxes.ts";
import type { Terminals } from "../sandbox/terminals.ts";
import type { Secrets } from "../secret/secrets.ts";
import type { SessionRepository, SessionRow } from "../store/session-rows.ts";
import type { TurnPlace } from "./happenings.ts";
import { LiveSession } from "./live-session.ts";
import { openReaderLease, type ReaderLease } from "./reader-lease.ts";
import { showSession } from "./session-record.ts";
import { checkLoginPlace, checkRequest, signInWhere } from "./session-request.ts";
import type { Sessions } from "./sessions.ts";
import type { SandboxSignIns } from "./sign-in/sandbox-sign-ins.ts";

/** Sessions that are over and whose events can still be read in full. */
const FINISHED_KEPT_MAX = 64;
/** A locked keyring asks its user. */
const COLLECT_TIMEOUT_MS = 60_000;

export interface SessionsOptions {
  sandboxes: Pick<Sandboxes, "get" | "running" | "afterSession">;
  agents: AgentRegistry;
  /** Whose bindings count. Default: none. */
  secrets?: Pick<Secrets, "collect">;
  terminals: Pick<Terminals, "open">;
  /** Sign-ins that are kept outside the sandboxes. */
  signIns?: SandboxSignIns;
  /** Default: there are no templates. */
  configure?: Configure;
  repository: SessionRepository;
  logger: Logger;
  now?(): Date;
  /** How long a leased session lives on without a reader. Default 2 s. */
  readerGraceMs?: number;
  /** Told of every event of a turn, before its reader is. */
  onTurn?(session: TurnPlace, event: TurnEvent): void;
}

export function createSessions(options: SessionsOptions): Sessions {
  return new LiveSessions(options);
}

class LiveSessions implements Sessions {
  readonly #options: SessionsOptions;
  /** Every session that is open, and the last ones that were; oldest first. */
  readonly #sessions = new Map<string, LiveSession>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  async create(owner: string, sandboxId: string, asked: SessionCreate): Promise<Session> {
    const { sandboxes, agents, repository } = this.#options;
    const sandbox = await sandboxes.get(sandboxId);
    const { agent, bindings } = sandbox;
    const adapter = findAgent(agents, agent);
    const request = signInWhere(asked, adapter, sandbox);
    checkRequest(adapter, request);
    const secrets = await this.#collect(owner, adapter, { request, bindings });
    checkLoginPlace(request, sandbox);
    const running = await sandboxes.running(sandboxId);
    const { kind } = request;
    const createdAt = this.#now().toISOString();
    const id = randomUUID();
    const fixed = { id, owner, sandboxId, agent, kind, createdAt };
    const row: SessionRow = { ...fixed, status: "starting", turns: 0 };
    const earlier = await this.#findEarlier(sandboxId, request);
    await repository.insert(row);
    return this.#begin({ row, request: { ...request, secrets }, running, earlier }).view();
  }

  async get(id: string): Promise<Session> {
    return this.#sessions.get(id)?.view() ?? showSession(await this.#getRow(id));
  }

  async list(sandboxId: string): Promise<readonly Session[]> {
    const rows = await this.#options.repository.listBySandbox(sandboxId);
    return rows.map((row) => this.#sessions.get(row.id)?.view() ?? showSession(row));
  }

  async *events(id: string, signal: AbortSignal): AsyncGenerator<SessionEvent> {
    const session = await this.#find(id);
    if (session === undefined) yield* retell(await this.#getRow(id));
    else yield* session.events(signal);
  }

  async end(id: string): Promise<void> {
    await (await this.#find(id))?.end();
  }

  async *turn(id: string, request: TurnCreate, signal: AbortSignal): AsyncGenerator<TurnEvent> {
    const session = await this.#find(id);
    if (session === undefined) {
      throw new CattlegridError("SESSION_ENDED", "The session has ended.");
    }
    for await (const event of session.turn(request, signal)) {
      this.#options.onTurn?.(session, event);
      yield event;
    }
  }

  async cancelTurn(id: string, turnId: string): Promise<void> {
    (await this.#find(id))?.cancelTurn(turnId);
  }

  countOpen(): number {
    return this.#open().length;
  }

  async endAll(sandboxId: string): Promise<void> {
    await Promise.all(this.#open(sandboxId).map((session) => session.end()));
  }

  tell(sandboxId: string, text: string): void {
    for (const session of this.#open(sandboxId)) session.tell(text);
  }

  isWorking(sandboxId: string): boolean {
    return this.#open(sandboxId).some((session) => session.isWorking);
  }

  async loseAll(sandboxId: string, reason: string): Promise<void> {
    await Promise.all(this.#open(sandboxId).map((session) => session.lose(reason)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#open().map((session) => session.end()));
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }

  #open(sandboxId?: string): LiveSession[] {
    const isMeant = (session: LiveSession): boolean =>
      !session.isOver && (sandboxId === undefined || session.sandboxId === sandboxId);
    return [...this.#sessions.values()].filter(isMeant);
  }

  /** SECURITY: the caller's own values win; what is bound joins them in memory and goes nowhere else. */
  async #collect(
    owner: string,
    agent: AgentAdapter,
    { request, bindings: sandbox }: { request: SessionCreate; bindings: Bindings | undefined },
  ): Promise<Record<string, string>> {
    const { environment, secrets = {}, bindings } = request;
    const given = new Set(Object.keys({ ...environment, ...secrets }));
    const layers = { sandbox, request: bindings };
    const signal = AbortSignal.timeout(COLLECT_TIMEOUT_MS);
    const bound = await this.#options.secrets?.collect({ owner, agent, layers, given }, signal);
    return { ...bound, ...secrets };
  }

  /** The newest conversation in which a turn has succeeded. */
  async #findEarlier(sandboxId: string, request: SessionCreate): Promise<string | undefined> {
    if (request.kind !== "turns" || request.continues !== "latest") return undefined;
    const rows = await this.#options.repository.listBySandbox(sandboxId);
    return rows.findLast((row) => row.conversationId !== undefined)?.conversationId;
  }

  #begin({ row, request, running, earlier }: Beginning): LiveSession {
    const { sandboxes, agents, repository, logger, readerGraceMs } = this.#options;
    const { terminals, signIns, configure } = this.#options;
    const { secrets = {}, ...rest } = request;
    let lease: ReaderLease | undefined;
    const session = new LiveSession({
      row,
      context: {
        agent: findAgent(agents, row.agent),
        request: rest,
        secrets,
        running,
        terminals,
        ...(signIns === undefined ? {} : { signIns }),
        ...(configure === undefined ? {} : { configure }),
      },
      ...(earlier === undefined ? {} : { earlier }),
      repository,
      logger,
      now: () => this.#now(),
      onReaders: (count) => lease?.update(count),
    });
    if (request.leased === true) {
      lease = openReaderLease({
        onExpired: () => void session.end(),
        ...(readerGraceMs === undefined ? {} : { nextReaderMs: readerGraceMs }),
      });
    }
    this.#sessions.set(row.id, session);
    void session.over.then(() => {
      lease?.close();
      this.#forgetOldest();
      sandboxes.afterSession(row.sandboxId, row.id);
    });
    return session;
  }

  /** Throws for a session that never was; undefined for one of which only the row is left. */
  async #find(id: string): Promise<LiveSession | undefined> {
    const session = this.#sessions.get(id);
    if (session === undefined) await this.#getRow(id);
    return session;
  }

  async #getRow(id: string): Promise<SessionRow> {
    const row = await this.#options.repository.get(id);
    if (row !== undefined) return row;
    throw new CattlegridError("SESSION_NOT_FOUND", `There is no session ${id}.`);
  }

  #forgetOldest(): void {
    const finished = [...this.#sessions.values()].filter((session) => session.isOver);
    const excess = Math.max(0, finished.length - FINISHED_KEPT_MAX);
    for (const { id } of finished.slice(0, excess)) this.#sessions.delete(id);
  }
}

interface Beginning {
  row: SessionRow;
  request: SessionCreate;
  running: RunningSandbox;
  earlier: string | undefined;
}

/** All that is known of a session of an earlier engine. */
function retell(row: SessionRow): SessionEvent[] {
  return [
    { type: "session-start", session: showSession(row) },
    { type: "session-end", exitCode: row.exitCode ?? 125 },
  ];
}
