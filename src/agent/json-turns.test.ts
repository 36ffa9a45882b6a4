import { expect, test } from "vitest";
import type { AgentTurns } from "./agent.ts";
import { createJsonLines } from "./json-lines.ts";
import { createJsonTurns } from "./json-turns.ts";
import { createMessageEventReader, readResult, readSessionId } from "./message-records.ts";

const turns: AgentTurns = createJsonTurns({
  title: "Tool",
  command: ["tool", "--json"],
  resume: (conversationId) => ["--resume", conversationId],
  lastWords: ["-"],
  commandPrefix: /^\//,
  createEventReader: createMessageEventReader,
  readEnd: readResult,
  readConversationId: readSessionId,
});
const SUCCESS = '{"type":"result","subtype":"success","is_error":false}';
const said = (text: string): string =>
  JSON.stringify({ type: "assistant", message: { content: [{ type: "text", text }] } });
const finish = (lines: readonly string[], exitCode: number | null, stderr = "") =>
  turns.judge({
    exitCode,
    stdout: Buffer.from(lines.join("\n")),
    stderr: Buffer.from(stderr),
    version: "",
  });

test("the prompt goes in through standard input, so it is never an option", () => {
  const { argv, inputBytes } = turns.command({ prompt: "--help ü", resume: false, version: "" });
  expect(argv).toEqual(["tool", "--json", "-"]);
  expect(Buffer.from(inputBytes ?? []).toString()).toBe("--help ü");
});

test("a conversation goes on only where it is wanted and known", () => {
  const words = (turn: { resume: boolean; conversationId?: string }): readonly string[] =>
    turns.command({ prompt: "x", version: "", ...turn }).argv.slice(2);
  expect(words({ resume: true, conversationId: "7" })).toEqual(["--resume", "7", "-"]);
  expect(words({ resume: false, conversationId: "7" })).toEqual(["-"]);
  expect(words({ resume: true })).toEqual(["-"]);
});

test("a prompt that would be a command of the agent's is refused", () => {
  expect(() => turns.checkPrompt(" /help")).toThrow("takes a prompt that begins like this");
  expect(() => turns.checkPrompt("what is /help")).not.toThrow();
});

test.each([
  [
    "a success that the status confirms",
    [said("yes"), SUCCESS],
    0,
    { outcome: "succeeded", answer: "yes" },
  ],
  ["a success that the status contradicts", [said("yes"), SUCCESS], 3, { outcome: "failed" }],
  ["a success and a signal", [SUCCESS], null, { outcome: "failed" }],
  ["no end at all", [said("yes")], 0, { outcome: "unknown", answer: "yes" }],
  ["noise", ["warning: {", "{broken", "[]"], 0, { outcome: "unknown", answer: "" }],
  ["an end, and noise after it", [SUCCESS, "bye"], 0, { outcome: "succeeded" }],
] as const)("%s", (...[, lines, exitCode, expected]) => {
  expect(finish(lines, exitCode)).toMatchObject(expected);
});

test("a status without a record is explained by the last line on stderr", () => {
  expect(finish([], 2, "warning\nno such option\n")).toEqual({
    outcome: "failed",
    reason: "Tool ended with exit status 2: no such option",
    answer: "",
  });
});

test("what a subagent says is no answer", () => {
  const record = {
    type: "assistant",
    parent_tool_use_id: "t",
    message: { content: [{ type: "text", text: "x" }] },
  };
  expect(finish([JSON.stringify(record), SUCCESS], 0)).toEqual({
    outcome: "succeeded",
    answer: "",
  });
});

test("lines are read across pieces that end inside a character, and one without an end is bounded", () => {
  const lines = createJsonLines();
  const bytes = Buffer.from('{"a":"ü"}\n{"b":');
  const read = [...bytes].flatMap((byte) => lines.push(Uint8Array.of(byte)));
  expect(read).toEqual([{ a: "ü" }]);
  expect(lines.push(Buffer.from("1}\n"))).toEqual([{ b: 1 }]);
});
