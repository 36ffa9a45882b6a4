import type { Logger } from "../platform/logger.ts";
import type { Session, SessionEvent } from "../protocol/session.ts";
import type { SessionChange, SessionRepository, SessionRow } from "../store/session-rows.ts";
import { createEventLog, type EventLog } from "./event-log.ts";
import { isOver, nextSessionStatus, type SessionHappening } from "./status.ts";
import type { Conversation } from "./turn/conversation.ts";

export interface SessionRecordOptions {
  row: SessionRow;
  repository: SessionRepository;
  logger: Logger;
  onReaders(count: number): void;
}

/** What is known of one session while its engine lives: its row, and every event from the first on. */
export class SessionRecord {
  readonly #options: SessionRecordOptions;
  readonly #events: EventLog<SessionEvent>;
  #row: SessionRow;
  #terminalId: string | undefined;

  constructor(options: SessionRecordOptions) {
    this.#options = options;
    this.#row = options.row;
    this.#events = createEventLog({ onReaders: (count) => options.onReaders(count) });
  }

  get row(): SessionRow {
    return this.#row;
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

  report(event: SessionEvent): void {
    if (event.type === "terminal-start") this.#terminalId = event.terminalId;
    if (event.type === "terminal-end") this.#terminalId = undefined;
    this.#events.append(event);
  }

  /** Reports the last event there is. */
  close(last: SessionEvent): void {
    this.report(last);
    this.#events.close();
  }

  /** Does nothing where the happening changes nothing of the session's status. */
  async advance(happening: SessionHappening, change: SessionChange = {}): Promise<void> {
    const status = nextSessionStatus(this.#row.status, happening);
    if (status === undefined) return;
    await this.#save({ ...change, status });
    this.#options.logger.info("session", { id: this.#row.id, happening, status });
  }

  async saveConversation({ turns, id }: Conversation): Promise<void> {
    await this.#save({ turns, ...(id === undefined ? {} : { conversationId: id }) });
  }

  /** The session goes on although its row cannot be written: the disk may be full, the agent works. */
  async #save(change: SessionChange): Promise<void> {
    this.#row = { ...this.#row, ...change };
    const { repository, logger } = this.#options;
    try {
      await repository.update(this.#row.id, change);
    } catch (error) {
      logger.error("a session could not be recorded", { id: this.#row.id, error });
    }
  }
}

export function showSession(row: SessionRow, terminalId?: string): Session {
  const { id, owner, sandboxId, agent, kind, status, turns, exitCode, createdAt } = row;
  const session: Session = { id, owner, sandboxId, agent, kind, status, turns, createdAt };
  if (terminalId !== undefined) session.terminalId = terminalId;
  if (exitCode !== undefined) session.exitCode = exitCode;
  return session;
}
