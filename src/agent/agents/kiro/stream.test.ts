import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AgentEvent, TurnJudgement } from "../../agent.ts";
import { judgeStream, readStreamConversation } from "./stream-judgement.ts";
import { createStreamReader } from "./stream.ts";

const FIXTURES = join(import.meta.dirname, "../../../../test/fixtures/kiro");
const recorded = readFileSync(join(FIXTURES, "stream-json.stdout"));
const SESSION = "3f0c0000-0000-4000-8000-000000000000";

function read(stdout: Uint8Array | string, chunkBytes = 7): AgentEvent[] {
  const reader = createStreamReader();
  const bytes = Buffer.from(stdout);
  const starts = Array.from(
    { length: Math.ceil(bytes.length / chunkBytes) },
    (_, index) => index * chunkBytes,
  );
  return starts.flatMap((start) => reader.push(bytes.subarray(start, start + chunkBytes)));
}

function textOf(events: readonly AgentEvent[]): string {
  return events.map((event) => (event.type === "message-delta" ? event.text : "")).join("");
}

function judge(
  stdout: Uint8Array | string,
  { exitCode = 0, stderr = "" }: { exitCode?: number | null; stderr?: string } = {},
): TurnJudgement {
  const finished = { exitCode, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) };
  return judgeStream({ ...finished, version: "3.0.0" });
}

const line = (type: string, data: object): string => `${JSON.stringify({ type, data })}\n`;
const update = (fields: object): string => line("sessionUpdate", { update: fields });
const say = (text: string): string =>
  update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } });
const finish = (status: string, finalText?: string): string =>
  line("runFinished", { status, stopReason: "end_turn", finalText });

describe("the recorded stream", () => {
  test.each([1, 7, 100_000])("shows the answer and succeeds, in pieces of %i bytes", (size) => {
    expect(textOf(read(recorded, size))).toBe("Hello");
    expect(readStreamConversation(recorded.toString())).toBe(`v2:${SESSION}`);
    expect(judge(recorded)).toEqual({ outcome: "succeeded", answer: "Hello" });
  });

  test("is no success when it is cut off before its last line", () => {
    const text = recorded.toString();
    const last = text.lastIndexOf('{"type":"runFinished"');
    for (let cut = 0; cut <= last; cut++) {
      expect(judge(text.slice(0, cut)).outcome).not.toBe("succeeded");
    }
  });

  test("of the V1 engine is the failure it tells of", () => {
    const refused = readFileSync(join(FIXTURES, "stream-json-on-v1.stdout"));
    expect(judge(refused, { exitCode: 1 })).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("not supported on the v1 engine"),
    });
  });
});

describe("what is told while it runs", () => {
  test("are messages and tools; lines of no known form are passed over", () => {
    const start = update({
      sessionUpdate: "tool_call",
      toolCallId: "t1",
      title: "npm test",
      rawInput: { command: "npm test" },
    });
    const end = update({
      sessionUpdate: "tool_call_update",
      toolCallId: "t1",
      status: "failed",
      rawOutput: "no",
    });
    expect(read(`warning: odd\n{"type":7}\n${say("First.")}${start}${end}${say("Done.")}`)).toEqual(
      [
        { type: "message-delta", text: "First." },
        { type: "tool-start", toolCallId: "t1", name: "npm test", input: { command: "npm test" } },
        { type: "tool-end", toolCallId: "t1", isError: true, output: "no" },
        { type: "message-delta", text: "Done." },
      ],
    );
  });

  test("is whole characters however they are cut", () => {
    expect(textOf(read(say("grüße 🐄"), 1))).toBe("grüße 🐄");
  });
});

describe("a turn", () => {
  test("has the last part as its answer when the last line does not say it", () => {
    const tool = update({ sessionUpdate: "tool_call", title: "x" });
    const stdout = say("I look.") + tool + say("Found.") + finish("success");
    expect(judge(stdout)).toEqual({ outcome: "succeeded", answer: "Found." });
  });

  test.each([
    ["another status", say("half") + finish("error"), {}],
    ["no line at all", "", {}],
    ["a signal", say("x") + finish("success", "x"), { exitCode: null }],
    ["an exit status", say("x") + finish("success", "x"), { exitCode: 1 }],
    ["a refusal on stderr", finish("success"), { stderr: "Authentication failed. No.\n" }],
  ])("has failed with %s", (_title, stdout, end) => {
    expect(judge(stdout, end).outcome).toBe("failed");
  });

  test("says when the conversation it was to go on with is not there", () => {
    const stderr = "error: Session not found: 3f0c\n";
    expect(judge("", { exitCode: 1, stderr })).toMatchObject({ isConversationLost: true });
  });

  test.each([
    ["without its last line", say("x")],
    ["without an answer", finish("success", "")],
  ])("is unknown %s", (_title, stdout) => {
    expect(judge(stdout).outcome).toBe("unknown");
  });
});
