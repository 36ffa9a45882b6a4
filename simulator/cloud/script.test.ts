import { describe, expect, test } from "vitest";
import { continueScript, FALSE_MARKERS } from "./script.ts";
import type { Step } from "./script.ts";

function reply(prompt: string, toolResults = 0): Step[] {
  return continueScript({ prompts: [prompt], toolResults });
}

function text(steps: readonly Step[]): string {
  return steps.map((step) => (step.kind === "say" ? step.text : `[${step.kind}]`)).join("");
}

describe("the scripted model", () => {
  test("stops at each tool and goes on from its result", () => {
    const prompt = "say: first\nrun: a\nrun: b\nsay: last";
    expect(text(reply(prompt))).toBe("first[tool]");
    expect(text(reply(prompt, 1))).toBe("[tool]");
    expect(text(reply(prompt, 2))).toBe("last");
    expect(reply(prompt, 3)).toEqual([{ kind: "say", text: "last" }]);
  });

  test("closes with a word when a script only uses tools", () => {
    expect(text(reply("run: a", 1))).toBe("Done.");
  });

  test("writes donut.js, then runs it, then says so", () => {
    expect(reply("draw a torus")).toMatchObject([
      { kind: "say" },
      { kind: "tool", tool: { name: "fs_write", input: { path: "donut.js" } } },
    ]);
    expect(reply("draw a torus", 1)).toMatchObject([
      { kind: "tool", tool: { name: "execute_bash", input: { command: "node donut.js" } } },
    ]);
    expect(text(reply("draw a torus", 2))).toContain("donut.js");
  });

  test("knows a name only from the conversation it is sent", () => {
    const asked = "What's my name?";
    expect(text(reply(asked))).toContain("I don't know your name");
    const prompts = ["my name is Bob", "Remember my name is Žofia.", asked];
    expect(text(continueScript({ prompts, toolResults: 0 }))).toBe("Your name is Žofia.");
  });

  test("says what was said for any other prompt, also for a mix of lines", () => {
    expect(text(reply("hello\nrun: a"))).toContain("You said: hello\nrun: a");
  });

  test("has false markers, a silence, a flood and every failure", () => {
    expect(text(reply("marker"))).toBe(FALSE_MARKERS);
    expect(reply("silence: 0.5")).toMatchObject([{ kind: "pause", durationMs: 500 }, {}]);
    expect(reply("flood: 10")).toEqual([{ kind: "flood", bytes: 10 }]);
    expect(reply("fail: overloaded")).toEqual([{ kind: "fail", failure: "overloaded" }]);
    expect(text(reply("fail: unheard-of"))).toContain("rate-limit");
  });
});
