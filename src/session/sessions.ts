import type {
  Session,
  SessionCreate,
  SessionEvent,
  TurnCreate,
  TurnEvent,
} from "../protocol/session.ts";
import type { SandboxSessions } from "../sandbox/life/lifecycle.ts";

/**
 * Sessions of every sandbox. Whoever calls has authorised the caller already. Methods that name a session throw
 * SESSION_NOT_FOUND for one that never was; one that has ended can still be read.
 */
export interface Sessions extends SandboxSessions {
  /**
   * Begins a session and returns while it is still starting; what follows is told by `events`.
   * Throws SANDBOX_NOT_FOUND, SANDBOX_NOT_RUNNING, AGENT_COMMAND_INVALID, REQUEST_INVALID.
   */
  create(owner: string, sandboxId: string, request: SessionCreate): Promise<Session>;
  get(sessionId: string): Promise<Session>;
  /** Oldest first. */
  list(sandboxId: string): Promise<readonly Session[]>;
  /**
   * Every event from the first on, ending after `session-end`. A leased session ends shortly after its last
   * reader has gone, whichever way it went. Ends without an error when `signal` aborts.
   */
  events(sessionId: string, signal: AbortSignal): AsyncIterable<SessionEvent>;
  /** Kills what the session runs and resolves when nothing of it is left. Idempotent. */
  end(sessionId: string): Promise<void>;
  /**
   * Runs one prompt. The turn is a property of the session, not of the reader: it is cancelled by `cancelTurn`,
   * by `end`, or by `signal`, which is how a reader says that it went away. Nothing runs before the first event is asked for.
   * The first step throws SESSION_ENDED, TURN_IN_PROGRESS, PROMPT_INVALID, PROMPT_IS_COMMAND, AGENT_NOT_SIGNED_IN;
   * AGENT_RESUME_LOST comes as a `problem` event after the turn's output.
   */
  turn(sessionId: string, request: TurnCreate, signal: AbortSignal): AsyncIterable<TurnEvent>;
  /** Interrupts the turn, which ends as cancelled; the conversation is kept. Idempotent. */
  cancelTurn(sessionId: string, turnId: string): Promise<void>;
  /** Sessions that have not ended: a reason for the daemon to stay. */
  countOpen(): number;
  /** Ends every session. Idempotent. */
  close(): Promise<void>;
}
