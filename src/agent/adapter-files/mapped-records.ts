import type { AgentEvent } from "../agent.ts";
import { asRecord, recordsIn, textOf, type JsonRecord } from "../json-lines.ts";
import type { JsonTurnsFormat, TurnEnd } from "../json-turns.ts";
import { asLine } from "../message-records.ts";
import type { RecordsDocument } from "./schema.ts";

type RecordReading = Pick<JsonTurnsFormat, "createEventReader" | "readEnd" | "readConversationId">;
type Condition = Readonly<Record<string, string | number | boolean>>;

/** Reads an agent's records by what its adapter file says of them. */
export function readMappedRecords(records: RecordsDocument): RecordReading {
  return {
    createEventReader: () => (record) => readEvents(records, record),
    readEnd: (record) => readEnd(records, record),
    readConversationId: (record) => readConversationId(records, record),
  };
}

function readEvents(records: RecordsDocument, record: JsonRecord): readonly AgentEvent[] {
  const { message, toolStart, toolEnd } = records;
  const events: AgentEvent[] = [];
  if (message !== undefined && meets(record, message.where)) {
    const text = asText(fieldOf(record, message.text));
    if (text !== "") events.push({ type: "message-delta", text: asLine(text) });
  }
  if (toolStart !== undefined && meets(record, toolStart.where)) {
    const toolCallId = textOf(fieldOf(record, toolStart.id));
    const name = textOf(fieldOf(record, toolStart.name));
    const input = fieldOf(record, toolStart.input);
    events.push({ type: "tool-start", toolCallId, name, input });
  }
  if (toolEnd !== undefined && meets(record, toolEnd.where)) {
    const toolCallId = textOf(fieldOf(record, toolEnd.id));
    const isError = toolEnd.failedWhere !== undefined && meets(record, toolEnd.failedWhere);
    const output = asText(fieldOf(record, toolEnd.output));
    events.push({ type: "tool-end", toolCallId, isError, output });
  }
  return events;
}

function readEnd({ success, failure }: RecordsDocument, record: JsonRecord): TurnEnd | undefined {
  const failed = failure.find(({ where }) => meets(record, where));
  if (failed !== undefined) {
    return { outcome: "failed", reason: asText(fieldOf(record, failed.reason)) || "It failed." };
  }
  return meets(record, success.where) ? { outcome: "succeeded" } : undefined;
}

function readConversationId({ conversation }: RecordsDocument, record: JsonRecord) {
  if (conversation === undefined || !meets(record, conversation.where)) return undefined;
  const id = textOf(fieldOf(record, conversation.id));
  return id === "" ? undefined : id;
}

function meets(record: JsonRecord, condition: Condition): boolean {
  return Object.entries(condition).every(([path, wanted]) => fieldOf(record, path) === wanted);
}

/** Lists are entered by number: `content.0.text`. */
function fieldOf(record: JsonRecord, path: string): unknown {
  return path.split(".").reduce<unknown>((found, name) => {
    return Object.hasOwn(asRecord(found), name) ? asRecord(found)[name] : undefined;
  }, record);
}

/** A text, or a list of blocks, of which those with a text count; anything else as JSON. */
function asText(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) {
    return recordsIn(value)
      .map((block) => textOf(block["text"]))
      .join("");
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
