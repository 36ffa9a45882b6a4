import type { AgentEvent } from "./agent.ts";
import { asRecord, recordsIn, recordAt, textOf, type JsonRecord } from "./json-lines.ts";
import type { TurnEnd } from "./json-turns.ts";

/*
 * Several agents write the same records: `assistant` and `user` messages made of blocks, then one `result`.
 */

export function createMessageEventReader(): (record: JsonRecord) => readonly AgentEvent[] {
  return (record) => {
    // What a subagent says is not said to the user.
    if (textOf(record["parent_tool_use_id"]) !== "") return [];
    const blocks = recordsIn(recordAt(record, "message")["content"]);
    if (record["type"] === "assistant") return blocks.flatMap(readSaid);
    return record["type"] === "user" ? blocks.flatMap(readToolResult) : [];
  };
}

function readSaid(block: JsonRecord): AgentEvent[] {
  if (block["type"] === "text")
    return [{ type: "message-delta", text: asLine(textOf(block["text"])) }];
  if (block["type"] !== "tool_use") return [];
  const { id, name, input } = block;
  return [{ type: "tool-start", toolCallId: textOf(id), name: textOf(name), input }];
}

function readToolResult(block: JsonRecord): AgentEvent[] {
  if (block["type"] !== "tool_result") return [];
  const toolCallId = textOf(block["tool_use_id"]);
  const isError = block["is_error"] === true;
  return [{ type: "tool-end", toolCallId, isError, output: textOfBlocks(block["content"]) }];
}

function textOfBlocks(content: unknown): string {
  if (typeof content === "string") return content;
  return recordsIn(content)
    .map((block) => textOf(block["text"]))
    .join("");
}

/** A whole message is a paragraph of its own. */
export function asLine(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

export function readResult(record: JsonRecord): TurnEnd | undefined {
  if (record["type"] !== "result") return undefined;
  if (record["is_error"] !== true && record["subtype"] === "success")
    return { outcome: "succeeded" };
  const said = [record["result"], asRecord(record["error"])["message"], record["subtype"]];
  return {
    outcome: "failed",
    reason: said.map(textOf).find((text) => text !== "") ?? "It failed.",
  };
}

export function readSessionId(record: JsonRecord): string | undefined {
  const id = textOf(record["session_id"]);
  return id === "" ? undefined : id;
}

/** Its last record lists what it refused because nobody could be asked. */
export function hasRefusedTools({ permission_denials: denials }: JsonRecord): boolean {
  return recordsIn(denials).length > 0;
}
