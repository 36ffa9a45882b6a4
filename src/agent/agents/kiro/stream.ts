import type { AgentEvent, TurnReader } from "../../agent.ts";

/** One line of `--output-format stream-json`, of which nothing is sure but that it is an object. */
export interface StreamLine {
  type?: unknown;
  data?: {
    sessionId?: unknown;
    engine?: unknown;
    message?: unknown;
    status?: unknown;
    stopReason?: unknown;
    finalText?: unknown;
    update?: StreamUpdate;
  };
}

export interface StreamUpdate {
  sessionUpdate?: unknown;
  content?: unknown;
  toolCallId?: unknown;
  title?: unknown;
  status?: unknown;
  rawInput?: unknown;
  rawOutput?: unknown;
}

/** Reads the lines as they come: what the agent says, and which tools it uses. */
export function createStreamReader(): TurnReader {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    push(bytes) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      return lines.flatMap((line) => readEvent(parseLine(line)));
    },
  };
}

/** Undefined for what is no line of this form. */
export function parseLine(line: string): StreamLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as StreamLine;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The text of a piece of the answer; undefined for any other line. */
export function readChunk(line: StreamLine | undefined): string | undefined {
  const update = line?.data?.update;
  if (update?.sessionUpdate !== "agent_message_chunk") return undefined;
  return textOf((update.content as { text?: unknown } | null | undefined)?.text);
}

function readEvent(line: StreamLine | undefined): readonly AgentEvent[] {
  const text = readChunk(line);
  if (text !== undefined) return text === "" ? [] : [{ type: "message-delta", text }];
  const update = line?.data?.update;
  if (update?.sessionUpdate === "tool_call") return [readToolStart(update)];
  return update?.sessionUpdate === "tool_call_update" ? readToolEnd(update) : [];
}

function readToolStart({ toolCallId, title, rawInput = {} }: StreamUpdate): AgentEvent {
  const name = textOf(title) ?? "tool";
  return { type: "tool-start", toolCallId: textOf(toolCallId) ?? "", name, input: rawInput };
}

/** Updates before the last one tell of progress only. */
function readToolEnd(update: StreamUpdate): readonly AgentEvent[] {
  const { toolCallId, status, rawOutput, content } = update;
  if (status !== "completed" && status !== "failed") return [];
  const output = textOf(rawOutput) ?? JSON.stringify(rawOutput ?? content ?? "");
  const isError = status === "failed";
  return [{ type: "tool-end", toolCallId: textOf(toolCallId) ?? "", isError, output }];
}
