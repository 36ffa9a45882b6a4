import { z } from "zod";
import type { Problem } from "./problem.ts";
import type { TerminalEnding } from "./process.ts";
import { terminalSizeSchema } from "./process.ts";
import { environmentSchema } from "./sandbox.ts";

/** `POST /v1/sandboxes/{id}/sessions`. The sandbox must run. */
export const sessionCreateSchema = z.strictObject({
  /** `interactive`: the agent in a terminal. `turns`: prompts through `/v1/sessions/{id}/turns`. */
  kind: z.enum(["interactive", "turns"]),
  /** What the user wrote after `--`. */
  arguments: z.array(z.string()).optional(),
  /** `auto`: append when the first argument begins with `-`, else replace. */
  argumentRule: z.enum(["auto", "append", "replace"]).optional(),
  /** Present: the caller's terminal. Absent: pipes, and no sign-in dialogue. */
  terminal: terminalSizeSchema.optional(),
  environment: environmentSchema.optional(),
  /** SECURITY: credentials of the caller; reach the agent's process tree only, never stored or logged. */
  secrets: environmentSchema.optional(),
  loginTimeoutMs: z.int().positive().optional(),
  turnTimeoutMs: z.int().positive().optional(),
  /** The session ends when its events connection closes (`chat`, `run` without `--detach` does not set it). */
  leased: z.boolean().optional(),
});
export type SessionCreate = z.infer<typeof sessionCreateSchema>;

export type SessionStatus = "starting" | "signing-in" | "running" | "ended" | "lost";

export interface Session {
  id: string;
  owner: string;
  sandboxId: string;
  agent: string;
  kind: "interactive" | "turns";
  status: SessionStatus;
  /** The terminal to attach to now, when there is one. */
  terminalId?: string;
  turns: number;
  exitCode?: number;
  createdAt: string;
}

/** Events of `GET /v1/sessions/{id}/events` (server-sent; from the first event on, so a late reader misses none). */
export type SessionEvent =
  | { type: "session-start"; session: Session }
  | { type: "notice"; text: string }
  | { type: "terminal-start"; terminalId: string; purpose: "login" | "agent" }
  | { type: "terminal-end"; terminalId: string; purpose: "login" | "agent"; ending: TerminalEnding }
  /** The address and code a person opens to approve; shown even where the agent prints only the code. */
  | { type: "login-code"; code: string; url: string | null }
  | { type: "signed-in"; account: string }
  | { type: "session-ready" }
  | { type: "session-end"; exitCode: number; problem?: Problem };

/** `POST /v1/sessions/{id}/turns`, answered as server-sent events. */
export const turnCreateSchema = z.strictObject({
  prompt: z.string().min(1),
  /** Sends a prompt that the agent takes for a slash command. */
  slash: z.boolean().optional(),
  timeoutMs: z.int().positive().optional(),
});
export type TurnCreate = z.infer<typeof turnCreateSchema>;

export type TurnOutcome = "succeeded" | "failed" | "unknown" | "cancelled" | "timed-out";

/** Also the lines of `chat --output json`. */
export type TurnEvent =
  | { type: "turn-start"; sessionId: string; turnId: string; number: number; resumed: boolean }
  /** Bytes exactly as the agent wrote them, base64. */
  | { type: "output-delta"; turnId: string; stream: "output" | "errors"; bytes: string }
  | {
      type: "turn-end";
      turnId: string;
      outcome: TurnOutcome;
      reason: string | null;
      /** The answer as plain text, without terminal sequences; empty when there was none. */
      answer: string;
      /** The agent's own exit status; null when a signal ended it. */
      agentExitCode: number | null;
      /** What the command line exits with for this turn. */
      exitCode: number;
      durationMs: number;
    }
  | { type: "problem"; problem: Problem };
