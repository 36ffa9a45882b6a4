import type { AgentEvent } from "../../agent.ts";
import { recordAt, textOf, type JsonRecord } from "../../json-lines.ts";
import type { TurnEnd } from "../../json-turns.ts";
import { asLine } from "../../message-records.ts";

/** Items that stand for what a tool did, with the field that says what it was asked to do. */
const TOOLS: Readonly<Record<string, string>> = {
  command_execution: "command",
  file_change: "changes",
  mcp_tool_call: "arguments",
  web_search: "query",
};

export function createEventReader(): (record: JsonRecord) => readonly AgentEvent[] {
  const started = new Set<string>();
  return (record) => {
    const item = recordAt(record, "item");
    const id = textOf(item["id"]);
    const events: AgentEvent[] = [];
    if (textOf(item["type"]) in TOOLS && !started.has(id)) {
      started.add(id);
      events.push(describeStart(item));
    }
    if (record["type"] !== "item.completed") return events;
    if (item["type"] === "agent_message") {
      return [{ type: "message-delta", text: asLine(textOf(item["text"])) }];
    }
    if (started.has(id)) events.push(describeEnd(item));
    return events;
  };
}

function describeStart(item: JsonRecord): AgentEvent {
  const type = textOf(item["type"]);
  const field = TOOLS[type] ?? "";
  const name = type === "mcp_tool_call" ? textOf(item["tool"]) : type;
  return {
    type: "tool-start",
    toolCallId: textOf(item["id"]),
    name,
    input: { [field]: item[field] },
  };
}

function describeEnd(item: JsonRecord): AgentEvent {
  const isError = item["status"] === "failed" || (item["exit_code"] ?? 0) !== 0;
  const output = textOf(item["aggregated_output"]);
  return { type: "tool-end", toolCallId: textOf(item["id"]), isError, output };
}

export function readEnd(record: JsonRecord): TurnEnd | undefined {
  if (record["type"] === "turn.completed") return { outcome: "succeeded" };
  if (record["type"] !== "turn.failed") return undefined;
  return { outcome: "failed", reason: readReason(textOf(recordAt(record, "error")["message"])) };
}

/** The service's answer is quoted as it came. */
function readReason(message: string): string {
  return /"message":\s*"((?:[^"\\]|\\.)*)"/.exec(message)?.[1] ?? message;
}

export function readConversationId(record: JsonRecord): string | undefined {
  return record["type"] === "thread.started" ? textOf(record["thread_id"]) : undefined;
}
