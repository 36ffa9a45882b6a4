import { describe, expect, test } from "vitest";
import { readRecordedTurn } from "../../../../test/support/recorded-turn.ts";
import { codex } from "./codex.ts";

describe("a recorded turn of Codex CLI", () => {
  test("that used a tool tells the tool, what it said, and the answer", () => {
    const { judgement, events } = readRecordedTurn(codex, "tool");
    expect(judgement).toMatchObject({ outcome: "succeeded" });
    expect(judgement.answer).toMatch(/^The command said: [^]*made-by-agent/);
    expect(events).toMatchObject([
      { type: "tool-start", name: "command_execution" },
      { type: "tool-end", isError: false, output: expect.stringContaining("made-by-agent") },
      { type: "message-delta", text: expect.stringContaining("made-by-agent") },
    ]);
    const [start] = events;
    expect(JSON.stringify(start)).toContain("echo made-by-agent > made.txt");
  });

  test("that went on with a conversation tells its id, which resumes it", () => {
    const { judgement, conversationId } = readRecordedTurn(codex, "resumed");
    expect(judgement).toEqual({ outcome: "succeeded", answer: "Your name is Ada." });
    const turn = {
      prompt: "again",
      resume: true,
      version: "",
      conversationId: conversationId ?? "",
    };
    expect(codex.turns?.command(turn).argv.join(" ")).toContain(conversationId ?? "no id");
    expect(codex.turns?.command({ ...turn, resume: false }).argv.join(" ")).not.toContain(
      conversationId,
    );
  });

  test("that the model refused has failed, with the reason", () => {
    expect(readRecordedTurn(codex, "failed", 1).judgement).toMatchObject({
      outcome: "failed",
      reason: "The scripted model fails.",
    });
    // Its own word is believed although the status says otherwise.
    expect(readRecordedTurn(codex, "failed", 0).judgement.outcome).toBe("failed");
  });

  test("that was cut off before its end is never called a success", () => {
    expect(readRecordedTurn(codex, "cut-off").judgement.outcome).toBe("unknown");
  });
});
