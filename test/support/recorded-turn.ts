import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AgentAdapter, AgentEvent, TurnJudgement } from "../../src/agent/agent.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/agents");

interface RecordedTurn {
  judgement: TurnJudgement;
  events: readonly AgentEvent[];
  conversationId: string | undefined;
}

export interface RecordedExpectations {
  /** The agent's name for the tool that ran the command. */
  tool: string;
  /** What it says of a request that the model refused. */
  reason: string;
}

/** What the adapter of any agent has to make of its recorded turns. */
export function describeRecordedTurns(
  adapter: AgentAdapter,
  { tool, reason }: RecordedExpectations,
): void {
  describe(`a recorded turn of ${adapter.title}`, () => {
    test("that used a tool tells the tool, what it said, and the answer", () => {
      const { judgement, events } = readRecordedTurn(adapter, "tool");
      expect(judgement).toMatchObject({ outcome: "succeeded" });
      expect(judgement.answer).toMatch(/^The command said: [^]*made-by-agent/);
      const [start, end, ...said] = events;
      expect(start).toMatchObject({ type: "tool-start", name: tool });
      expect(JSON.stringify(start)).toContain("echo made-by-agent > made.txt");
      const output = expect.stringContaining("made-by-agent") as string;
      expect(end).toMatchObject({ type: "tool-end", isError: false, output });
      const text = said.map((event) => (event.type === "message-delta" ? event.text : event.type));
      expect(text.join("")).toMatch(/made-by-agent[^]*\n$/);
    });

    test("that went on with a conversation tells its id, which resumes it", () => {
      const { judgement, conversationId = "none" } = readRecordedTurn(adapter, "resumed");
      expect(judgement).toEqual({ outcome: "succeeded", answer: "Your name is Ada." });
      const turn = { prompt: "again", version: "", conversationId };
      const command = (resume: boolean): string =>
        adapter.turns?.command({ ...turn, resume }).argv.join(" ") ?? "";
      expect(command(true)).toContain(conversationId);
      expect(command(false)).not.toContain(conversationId);
    });

    test("that the model refused has failed, with the reason", () => {
      const expected = { outcome: "failed", reason };
      expect(readRecordedTurn(adapter, "failed", 1).judgement).toMatchObject(expected);
      // Its own word is believed although the status says otherwise.
      expect(readRecordedTurn(adapter, "failed", 0).judgement).toMatchObject(expected);
    });

    test("that was cut off before its end is never called a success", () => {
      expect(readRecordedTurn(adapter, "cut-off").judgement.outcome).toBe("unknown");
    });
  });
}

/**
 * What an adapter makes of bytes that the real agent once wrote against a scripted model. `cut-off` is `tool` without
 * its end, as after a crash.
 */
function readRecordedTurn(
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
