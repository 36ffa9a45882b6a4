import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentAdapter, AgentEvent, TurnJudgement } from "../../src/agent/agent.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/agents");

export interface RecordedTurn {
  judgement: TurnJudgement;
  events: readonly AgentEvent[];
  conversationId: string | undefined;
}

/**
 * What an adapter makes of bytes that the real agent once wrote against a scripted model. `cut-off` is `tool` without
 * its end, as after a crash.
 */
export function readRecordedTurn(
  { id, turns }: AgentAdapter,
  name: "tool" | "resumed" | "failed" | "cut-off",
  exitCode = 0,
): RecordedTurn {
  const path = join(FIXTURES, id, `${name === "cut-off" ? "tool" : name}.jsonl`);
  const whole = readFileSync(path);
  const stdout = name === "cut-off" ? whole.subarray(0, whole.length * 0.4) : whole;
  const reader = turns?.createReader?.("");
  if (turns === undefined || reader === undefined) throw new TypeError(`${id} has no JSON turns`);
  return {
    judgement: turns.judge({ exitCode, stdout, stderr: Buffer.alloc(0), version: "" }),
    // In pieces that end anywhere, as a pipe gives them.
    events: chunks(stdout, 97).flatMap((bytes) => reader.push(bytes)),
    conversationId: turns.conversation?.readId({
      exitCode,
      stdout: stdout.toString(),
      stderr: "",
    }),
  };
}

function chunks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
