import type { AgentEvent } from "../../agent.ts";
import { recordAt, textOf, type JsonRecord } from "../../json-lines.ts";
import type { TurnEnd } from "../../json-turns.ts";
import { asLine } from "../../message-records.ts";

export function createEventReader(): (record: JsonRecord) => readonly AgentEvent[] {
  return (record) => {
    const data = recordAt(record, "data");
    const toolCallId = textOf(data["toolCallId"]);
    if (record["type"] === "assistant.message") {
      const text = textOf(data["content"]);
      return text === "" ? [] : [{ type: "message-delta", text: asLine(text) }];
    }
    if (record["type"] === "tool.execution_start") {
      const name = textOf(data["toolName"]);
      return [{ type: "tool-start", toolCallId, name, input: data["arguments"] }];
    }
    return record["type"] === "tool.execution_complete" ? [readToolEnd(data, toolCallId)] : [];
  };
}

function readToolEnd(data: JsonRecord, toolCallId: string): AgentEvent {
  const exitCode = Number(recordAt(data, "shellExecution")["exitCode"] ?? 0);
  const isError = data["success"] !== true || exitCode !== 0;
  const output =
    textOf(recordAt(data, "result")["content"]) || textOf(recordAt(data, "error")["message"]);
  return { type: "tool-end", toolCallId, isError, output };
}

/** Its last record has a status and no reason; the reason comes in a record of its own before. */
export function readEnd(record: JsonRecord): TurnEnd | undefined {
  if (record["type"] === "session.error") {
    const message = textOf(recordAt(record, "data")["message"]);
    return { outcome: "failed", reason: message || "It failed." };
  }
  if (record["type"] !== "result" || record["exitCode"] !== 0) return undefined;
  return { outcome: "succeeded" };
}

export function readConversationId(record: JsonRecord): string | undefined {
  return record["type"] === "result" ? textOf(record["sessionId"]) : undefined;
}

/** Headless it refuses by itself what it would have asked about. */
export function isToolRefused(record: JsonRecord): boolean {
  const { code } = recordAt(record, "data", "error");
  return record["type"] === "tool.execution_complete" && code === "denied";
}
