import type { AgentEvent } from "../../agent.ts";
import { recordAt, textOf, type JsonRecord } from "../../json-lines.ts";
import type { TurnEnd } from "../../json-turns.ts";
import { asLine } from "../../message-records.ts";

/** A tool is told once, when it has ended. */
export function createEventReader(): (record: JsonRecord) => readonly AgentEvent[] {
  return (record) => {
    const part = recordAt(record, "part");
    if (record["type"] === "text") {
      return [{ type: "message-delta", text: asLine(textOf(part["text"])) }];
    }
    return record["type"] === "tool_use" ? readTool(part) : [];
  };
}

function readTool(part: JsonRecord): readonly AgentEvent[] {
  const toolCallId = textOf(part["callID"]);
  const state = recordAt(part, "state");
  const isError =
    state["status"] !== "completed" || Number(recordAt(state, "metadata")["exit"] ?? 0) !== 0;
  const output = textOf(state["output"]) || textOf(state["error"]);
  return [
    { type: "tool-start", toolCallId, name: textOf(part["tool"]), input: state["input"] },
    { type: "tool-end", toolCallId, isError, output },
  ];
}

export function readEnd(record: JsonRecord): TurnEnd | undefined {
  if (record["type"] === "error") {
    const error = recordAt(record, "error");
    const message = textOf(recordAt(error, "data")["message"]) || textOf(error["name"]);
    return { outcome: "failed", reason: message || "It failed." };
  }
  const isLastStep =
    record["type"] === "step_finish" && recordAt(record, "part")["reason"] === "stop";
  return isLastStep ? { outcome: "succeeded" } : undefined;
}

export function readConversationId(record: JsonRecord): string | undefined {
  const id = textOf(record["sessionID"]);
  return id === "" ? undefined : id;
}

/** Headless it rejects by itself what it would have asked about, and then stops. */
export function isToolRefused(record: JsonRecord): boolean {
  const { status, error } = recordAt(recordAt(record, "part"), "state");
  return status === "error" && /rejected permission/i.test(textOf(error));
}
