import { describe, expect, test } from "vitest";
import { readRecordedTurn } from "../../../../test/support/recorded-turn.ts";
import { opencode } from "./opencode.ts";

describe("a recorded turn of OpenCode", () => {
  test("that used a tool tells the tool, what it said, and the answer", () => {
    const { judgement, events } = readRecordedTurn(opencode, "tool");
    expect(judgement).toMatchObject({ outcome: "succeeded" });
    expect(judgement.answer).toMatch(/^The command said: [^]*made-by-agent/);
    expect(events).toMatchObject([
      { type: "tool-start", name: "bash" },
      { type: "tool-end", isError: false, output: expect.stringContaining("made-by-agent") },
      { type: "message-delta", text: expect.stringContaining("made-by-agent") },
    ]);
    const [start] = events;
    expect(JSON.stringify(start)).toContain("echo made-by-agent > made.txt");
  });

  test("that went on with a conversation tells its id, which resumes it", () => {
    const { judgement, conversationId } = readRecordedTurn(opencode, "resumed");
    expect(judgement).toEqual({ outcome: "succeeded", answer: "Your name is Ada." });
    const turn = {
      prompt: "again",
      resume: true,
      version: "",
      conversationId: conversationId ?? "",
    };
    expect(opencode.turns?.command(turn).argv.join(" ")).toContain(conversationId ?? "no id");
    expect(opencode.turns?.command({ ...turn, resume: false }).argv.join(" ")).not.toContain(
      conversationId,
    );
  });

  test("that the model refused has failed, with the reason", () => {
    expect(readRecordedTurn(opencode, "failed", 1).judgement).toMatchObject({
      outcome: "failed",
      reason: "The scripted model fails.",
    });
    // Its own word is believed although the status says otherwise.
    expect(readRecordedTurn(opencode, "failed", 0).judgement.outcome).toBe("failed");
  });

  test("that was cut off before its end is never called a success", () => {
    expect(readRecordedTurn(opencode, "cut-off").judgement.outcome).toBe("unknown");
  });
});
