import type { TurnJudgement } from "../../agent/agent.ts";
import type { TurnOutcome } from "../../protocol/session.ts";
import type { ProcessEnding } from "../../sandbox/process.ts";
import type { StopCause } from "./turn-process.ts";

const EXIT_SUCCEEDED = 0;
/** Judged failed or unknown though the agent said 0. */
const EXIT_NOT_PROVEN = 120;
const EXIT_TIMED_OUT = 124;
const EXIT_INTERRUPTED = 130;

export interface TurnResult {
  outcome: TurnOutcome;
  reason: string | null;
  answer: string;
  /** The agent's own; null when a signal ended it. */
  agentExitCode: number | null;
  /** What the command line exits with. */
  exitCode: number;
  /** The agent said that the conversation it was to resume is not there. */
  isConversationLost?: boolean;
}

export interface TurnFacts {
  ending: Exclude<ProcessEnding, { kind: "lost" }>;
  stopped: StopCause | undefined;
  judgement: TurnJudgement;
}

/** A turn that was stopped is not judged by what it wrote until then. */
export function concludeTurn({ ending, stopped, judgement }: TurnFacts): TurnResult {
  const agentExitCode = ending.kind === "exited" ? ending.code : null;
  const { answer } = judgement;
  if (stopped === "timed-out") {
    const reason = "The turn took longer than it was allowed to.";
    return { outcome: stopped, reason, answer, agentExitCode, exitCode: EXIT_TIMED_OUT };
  }
  if (stopped === "cancelled") {
    return { outcome: stopped, reason: null, answer, agentExitCode, exitCode: EXIT_INTERRUPTED };
  }
  if (judgement.outcome === "succeeded") {
    const outcome = judgement.outcome;
    return { outcome, reason: null, answer, agentExitCode, exitCode: EXIT_SUCCEEDED };
  }
  const { outcome, reason } = judgement;
  const exitCode = ending.code === 0 ? EXIT_NOT_PROVEN : ending.code;
  const isConversationLost = judgement.outcome === "failed" && judgement.isConversationLost;
  const lost = isConversationLost ? { isConversationLost } : {};
  return { outcome, reason, answer, agentExitCode, exitCode, ...lost };
}
