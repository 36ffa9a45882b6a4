import { expect, test } from "vitest";
import type { TurnJudgement } from "../../agent/agent.ts";
import { concludeTurn, type TurnFacts } from "./turn-outcome.ts";
import type { StopCause } from "./turn-process.ts";

type Ending = TurnFacts["ending"];
const exited = (code: number): Ending => ({ kind: "exited", code });
const signalled: Ending = { kind: "signalled", code: 143, signal: "SIGTERM" };
const succeeded: TurnJudgement = { outcome: "succeeded", answer: "yes" };
const failed: TurnJudgement = { outcome: "failed", reason: "why", answer: "" };
const unknown: TurnJudgement = { outcome: "unknown", reason: "why", answer: "yes" };

type Row = [Ending, StopCause | undefined, TurnJudgement, string, number | null, number];
const rows: Row[] = [
  [exited(0), undefined, succeeded, "succeeded", 0, 0],
  [exited(0), undefined, failed, "failed", 0, 120],
  [exited(0), undefined, unknown, "unknown", 0, 120],
  [exited(1), undefined, failed, "failed", 1, 1],
  [exited(4), undefined, failed, "failed", 4, 4],
  [signalled, undefined, failed, "failed", null, 143],
  [exited(0), "cancelled", succeeded, "cancelled", 0, 130],
  [exited(1), "cancelled", failed, "cancelled", 1, 130],
  [signalled, "cancelled", failed, "cancelled", null, 130],
  [signalled, "timed-out", failed, "timed-out", null, 124],
];

test.each(rows)("%j, stopped: %s, judged %j: %s, agent %s, exit %i", (...row) => {
  const [ending, stopped, judgement, outcome, agentExitCode, exitCode] = row;
  const result = concludeTurn({ ending, stopped, judgement });
  expect(result).toMatchObject({ outcome, agentExitCode, exitCode, answer: judgement.answer });
});
