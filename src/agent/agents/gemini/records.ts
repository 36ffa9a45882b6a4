import type { AgentEvent } from "../../agent.ts";
import { recordAt, textOf, type JsonRecord } from "../../json-lines.ts";
import type { TurnEnd } from "../../json-turns.ts";

const REFUSED = /requires user confirmation/i;

/** An answer comes in pieces; a line feed is added where a tool, or the end, follows one without. */
export function createEventReader(): (record: JsonRecord) => readonly AgentEvent[] {
  let isInLine = false;
  return (record) => {
    if (record["type"] === "message" && record["role"] === "assistant") {
      const text = textOf(record["content"]);
      if (text !== "") isInLine = !text.endsWith("\n");
      return [{ type: "message-delta", text }];
    }
    const event = readTool(record);
    const endsLine = isInLine && (event !== undefined || record["type"] === "result");
    if (endsLine) isInLine = false;
    return [
      ...(endsLine ? [{ type: "message-delta" as const, text: "\n" }] : []),
      ...(event === undefined ? [] : [event]),
    ];
  };
}

function readTool(record: JsonRecord): AgentEvent | undefined {
  const toolCallId = textOf(record["tool_id"]);
  if (record["type"] === "tool_use") {
    const name = textOf(record["tool_name"]);
    return { type: "tool-start", toolCallId, name, input: record["parameters"] };
  }
  if (record["type"] !== "tool_result") return undefined;
  const isError = record["status"] !== "success";
  const output = textOf(record["output"]) || textOf(recordAt(record, "error")["message"]);
  return { type: "tool-end", toolCallId, isError, output };
}

export function readEnd(record: JsonRecord): TurnEnd | undefined {
  if (record["type"] !== "result") return undefined;
  if (record["status"] === "success") return { outcome: "succeeded" };
  const message = textOf(recordAt(record, "error")["message"]);
  return { outcome: "failed", reason: message === "" ? "It failed." : message };
}

export function readConversationId(record: JsonRecord): string | undefined {
  return record["type"] === "init" ? textOf(record["session_id"]) : undefined;
}

/** Headless it refuses by itself what it would have asked about, and goes on. */
export function isToolRefused(record: JsonRecord): boolean {
  return (
    record["type"] === "tool_result" && REFUSED.test(textOf(recordAt(record, "error")["message"]))
  );
}
