import type { AgentAdapter } from "../agent/agent.ts";
import type { SessionCreate, SessionEvent } from "../protocol/session.ts";
import type { Configure } from "../sandbox/configuration/configuring.ts";
import type { RunningSandbox } from "../sandbox/provider.ts";
import type { Terminals } from "../sandbox/terminals.ts";
import type { SandboxSignIns } from "./sign-in/sandbox-sign-ins.ts";

/** What the parts of one session share. */
export interface SessionContext {
  readonly sessionId: string;
  readonly owner: string;
  readonly agent: AgentAdapter;
  readonly request: Omit<SessionCreate, "secrets">;
  /**
   * SECURITY: the caller's credentials, in memory and only as long as the session lives. They go into a process
   * request and nowhere else.
   */
  secrets: Readonly<Record<string, string>>;
  readonly running: RunningSandbox;
  /** Aborts when the session is ended or lost. */
  readonly signal: AbortSignal;
  readonly terminals: Pick<Terminals, "open">;
  /** Sign-ins that are kept outside; absent: there is nowhere to keep them. */
  readonly signIns?: SandboxSignIns;
  /** Tells the agent what the sandbox's template says. Absent: there are no templates. */
  readonly configure?: Configure;
  report(event: SessionEvent): void;
}
