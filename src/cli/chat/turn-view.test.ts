import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import type { TurnEvent } from "../../protocol/session.ts";
import type { Caller } from "../caller.ts";
import { TurnView } from "./turn-view.ts";

const turnId = "t1";
const start = (structured: boolean): TurnEvent => ({
  type: "turn-start",
  sessionId: "s1",
  turnId,
  number: 1,
  resumed: false,
  structured,
});
const bytes = (text: string, stream: "output" | "errors" = "output"): TurnEvent => ({
  type: "output-delta",
  turnId,
  stream,
  bytes: Buffer.from(text).toString("base64"),
});
const tool = (name: string, input: unknown): TurnEvent => ({
  type: "tool-start",
  turnId,
  toolCallId: "c1",
  name,
  input,
});

async function show(
  format: "text" | "json",
  ...events: TurnEvent[]
): Promise<[string, string, boolean]> {
  const [output, errors] = [new PassThrough(), new PassThrough()];
  const view = new TurnView({ output, errors } as unknown as Caller, format);
  for (const event of events) await view.show(event);
  const read = (stream: PassThrough): string => String(stream.read() ?? "");
  return [read(output), read(errors), view.endsInLine];
}

test("what an agent writes for people passes as it is", async () => {
  expect(await show("text", start(false), bytes("\u001B[1mhi"), bytes("oh", "errors"))).toEqual([
    "\u001B[1mhi",
    "oh",
    true,
  ]);
});

test("of an agent that writes for programs people see messages, and on stderr the tools", async () => {
  const events: TurnEvent[] = [
    start(true),
    bytes('{"type":"raw"}\n'),
    tool("bash", { command: "ls\n\u001B[2J" }),
    { type: "tool-end", turnId, toolCallId: "c1", isError: true, output: "x\nno such file\n" },
    tool("read", { path: "/a" }),
    { type: "message-delta", turnId, text: "Done.\n" },
  ];
  expect(await show("text", ...events)).toEqual([
    "Done.\n",
    '▸ bash: ls\\x0a\\x1b[2J\n▸ failed: no such file\n▸ read: {"path":"/a"}\n',
    false,
  ]);
});

test("as JSON every event is one line", async () => {
  const [output, errors] = await show("json", start(true), bytes("{}\n"), tool("bash", {}));
  expect(
    output
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as TurnEvent).type),
  ).toEqual(["turn-start", "output-delta", "tool-start"]);
  expect(errors).toBe("");
});
