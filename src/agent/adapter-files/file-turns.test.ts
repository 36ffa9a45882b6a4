import { describe, expect, test } from "vitest";
import { createFileTurns } from "./file-turns.ts";
import { adapterFileSchema } from "./schema.ts";

function turnsOf(turns: object) {
  const { turns: read } = adapterFileSchema.parse({ title: "Mine", command: ["mine"], turns });
  if (read === undefined) throw new Error("no turns");
  return createFileTurns("Mine", read);
}
const version = "1";
interface Finished {
  stdout?: string;
  stderr?: string;
  exitCode?: number | null;
}
const judge = (turns: object, { stdout = "", stderr = "", exitCode = 0 }: Finished) =>
  turnsOf(turns).judge({
    exitCode,
    stdout: Buffer.from(stdout),
    stderr: Buffer.from(stderr),
    version,
  });
const argv = (turns: object, input: object = {}) =>
  turnsOf(turns).command({ prompt: "do $(it) {conversation}", resume: false, version, ...input });

describe("a turn's command", () => {
  test("has the prompt on standard input unless a word takes it", () => {
    const { argv: words, inputBytes } = argv({ command: ["mine", "ask"] });
    expect(words).toEqual(["mine", "ask"]);
    expect(String(inputBytes)).toBe("do $(it) {conversation}");
  });

  test("has the prompt where its word is, as it was written", () => {
    const command = ["mine", "--prompt={prompt}"];
    expect(argv({ command })).toEqual({ argv: ["mine", "--prompt=do $(it) {conversation}"] });
  });

  test.each([
    [
      ["mine", "ask"],
      ["mine", "ask", "--on", "c7"],
    ],
    [
      ["mine", "{resume}", "ask"],
      ["mine", "--on", "c7", "ask"],
    ],
  ])("%j goes on with a conversation as %j", (command, expected) => {
    const turns = { command, resume: ["--on", "{conversation}"] };
    expect(argv(turns, { resume: true, conversationId: "c7" }).argv).toEqual(expected);
    expect(argv(turns, { resume: true }).argv).toEqual(command.filter((w) => w !== "{resume}"));
  });

  test("goes on without an id where the agent needs none", () => {
    const turns = { command: ["mine"], resume: ["--continue"] };
    expect(argv(turns, { resume: true }).argv).toEqual(["mine", "--continue"]);
    expect(argv(turns).argv).toEqual(["mine"]);
  });

  test("is refused a prompt that the agent takes for its own command, or no argument can hold", () => {
    const turns = turnsOf({ command: ["mine", "{prompt}"], slash: "/" });
    expect(() => turns.checkPrompt(" /quit")).toThrow("for a command of its own");
    expect(() => turns.checkPrompt("a /quit")).not.toThrow();
    expect(() => turns.checkPrompt("x".repeat(102_401))).toThrow("at most 100 KiB");
    const input = turnsOf({ command: ["mine"] });
    expect(() => input.checkPrompt("x".repeat(102_401))).not.toThrow();
  });
});

describe("an agent that prints its answer", () => {
  const turns = { command: ["mine"] };

  test.each([
    ["done", { stdout: "\u001B[32mdone\u001B[0m\r\n" }, { outcome: "succeeded", answer: "done" }],
    ["nothing", {}, { outcome: "unknown", answer: "" }],
    [
      "a status",
      { stdout: "half", exitCode: 3, stderr: "warn\nno key\n" },
      { outcome: "failed", answer: "half", reason: "Mine ended with exit status 3: no key" },
    ],
    [
      "a signal",
      { stdout: "half", exitCode: null },
      { outcome: "failed", reason: "Mine was ended by a signal" },
    ],
  ])("%s is judged", (_title, finished, expected) => {
    expect(judge(turns, finished)).toMatchObject(expected);
  });

  test("shows people what it prints, and tells no conversation", () => {
    expect(turnsOf(turns).createReader).toBeUndefined();
    expect(turnsOf(turns).conversation).toBeUndefined();
  });
});

describe("an agent whose records are mapped", () => {
  const turns = {
    command: ["mine"],
    output: {
      message: { where: { type: "said", "by.role": "it" }, text: "parts" },
      toolStart: { where: { type: "begin" }, id: "call", name: "tool.0.name", input: "with" },
      toolEnd: { where: { type: "end" }, failedWhere: { ok: false }, id: "call", output: "gave" },
      success: { where: { type: "bye", ok: true } },
      failure: [{ where: { type: "bye", ok: false }, reason: "why.text" }],
      conversation: { where: { type: "hello" }, id: "id" },
    },
  };
  const lines = (...records: object[]) =>
    records.map((record) => JSON.stringify(record)).join("\n");

  test("tells its messages and tools, and passes over the rest", () => {
    const reader = turnsOf(turns).createReader?.(version);
    const text = lines(
      { type: "said", by: { role: "it" }, parts: [{ text: "a" }, { other: 1 }, { text: "b" }] },
      { type: "said", by: { role: "you" }, parts: "no" },
      { type: "begin", call: "1", tool: [{ name: "write" }], with: { path: "x" } },
      { type: "end", call: "1", ok: false, gave: { code: 2 } },
      { type: "toString" },
    );
    expect(reader?.push(Buffer.from(`${text}\n`))).toEqual([
      { type: "message-delta", text: "ab\n" },
      { type: "tool-start", toolCallId: "1", name: "write", input: { path: "x" } },
      { type: "tool-end", toolCallId: "1", isError: true, output: '{"code":2}' },
    ]);
  });

  test("is judged by its last word, and told its conversation", () => {
    const good = lines({ type: "hello", id: "c1" }, { type: "bye", ok: true });
    expect(judge(turns, { stdout: good })).toMatchObject({ outcome: "succeeded" });
    expect(judge(turns, { stdout: good, exitCode: 1 })).toMatchObject({ outcome: "failed" });
    const bad = lines({ type: "bye", ok: false, why: { text: "no key" } });
    expect(judge(turns, { stdout: bad })).toMatchObject({ outcome: "failed", reason: "no key" });
    expect(judge(turns, { stdout: lines({ type: "hello" }) })).toMatchObject({
      outcome: "unknown",
    });
    const told = { stdout: good, stderr: "", exitCode: 0 };
    expect(turnsOf(turns).conversation?.readId(told)).toBe("c1");
  });

  test("a field that every object has is no field of a record", () => {
    const inherited = {
      ...turns,
      output: { ...turns.output, success: { where: { "a.length": 1 } } },
    };
    expect(judge(inherited, { stdout: lines({ a: {} }) })).toMatchObject({ outcome: "unknown" });
  });
});

test("messages as several agents write them need no mapping", () => {
  const end = '{"type":"result","subtype":"success","is_error":false,"session_id":"s"}';
  expect(judge({ command: ["mine"], output: "messages" }, { stdout: end })).toMatchObject({
    outcome: "succeeded",
  });
});
