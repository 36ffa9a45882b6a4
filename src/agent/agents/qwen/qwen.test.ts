import { describe, expect, test } from "vitest";
import { readRecordedTurn } from "../../../../test/support/recorded-turn.ts";
import { qwen } from "./qwen.ts";

describe("a recorded turn of Qwen Code", () => {
  test("that used a tool tells the tool, what it said, and the answer", () => {
    const { judgement, events } = readRecordedTurn(qwen, "tool");
    expect(judgement).toMatchObject({ outcome: "succeeded" });
    expect(judgement.answer).toMatch(/^The command said: [^]*made-by-agent/);
    expect(events).toMatchObject([
      { type: "tool-start", name: "run_shell_command" },
      { type: "tool-end", isError: false, output: expect.stringContaining("made-by-agent") },
      { type: "message-delta", text: expect.stringContaining("made-by-agent") },
    ]);
    const [start] = events;
    expect(JSON.stringify(start)).toContain("echo made-by-agent > made.txt");
  });

  test("that went on with a conversation tells its id, which resumes it", () => {
    const { judgement, conversationId } = readRecordedTurn(qwen, "resumed");
    expect(judgement).toEqual({ outcome: "succeeded", answer: "Your name is Ada." });
    const turn = {
      prompt: "again",
      resume: true,
      version: "",
      conversationId: conversationId ?? "",
    };
    expect(qwen.turns?.command(turn).argv.join(" ")).toContain(conversationId ?? "no id");
    expect(qwen.turns?.command({ ...turn, resume: false }).argv.join(" ")).not.toContain(
      conversationId,
    );
  });

  test("that the model refused has failed, with the reason", () => {
    expect(readRecordedTurn(qwen, "failed", 1).judgement).toMatchObject({
      outcome: "failed",
      reason: "[API Error: 400 The scripted model fails.]",
    });
    // Its own word is believed although the status says otherwise.
    expect(readRecordedTurn(qwen, "failed", 0).judgement.outcome).toBe("failed");
  });

  test("that was cut off before its end is never called a success", () => {
    expect(readRecordedTurn(qwen, "cut-off").judgement.outcome).toBe("unknown");
  });
});
