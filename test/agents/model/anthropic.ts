import { randomUUID } from "node:crypto";
import type { Part, Reply, Request, Schema } from "./script.ts";
import type { ServerEvent } from "./server-event.ts";

interface Block {
  type: string;
  text?: string;
  id?: string;
  content?: string | readonly Block[];
}

interface Message {
  role: "user" | "assistant";
  content: string | readonly Block[];
}

interface Body {
  model: string;
  messages: readonly Message[];
  tools?: readonly { name: string; input_schema?: Schema }[];
}

/** The Messages API. */
export function readAnthropic(body: Body): Request {
  return {
    parts: body.messages.flatMap(readMessage),
    tools: (body.tools ?? []).map(({ name, input_schema = {} }) => ({
      name,
      parameters: input_schema,
    })),
  };
}

function readMessage({ role, content }: Message): Part[] {
  if (typeof content === "string") return [{ kind: role, text: content }];
  return content.flatMap((block): Part[] => {
    if (block.type === "text") return [{ kind: role, text: block.text ?? "" }];
    if (block.type === "tool_use") return [{ kind: "call", id: block.id ?? "" }];
    return block.type === "tool_result" ? [{ kind: "result", text: textOf(block.content) }] : [];
  });
}

function textOf(content: Block["content"] = ""): string {
  if (typeof content === "string") return content;
  return content.map(({ text = "" }) => text).join("");
}

export function writeAnthropic({ model }: Body, reply: Reply): ServerEvent[] {
  const event = (type: string, fields: object): ServerEvent => ({
    event: type,
    data: { type, ...fields },
  });
  const message = {
    id: `msg_${randomUUID()}`,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 10, output_tokens: 1 },
  };
  const [block, delta, stopReason] = describe(reply);
  return [
    event("message_start", { message }),
    event("content_block_start", { index: 0, content_block: block }),
    event("content_block_delta", { index: 0, delta }),
    event("content_block_stop", { index: 0 }),
    event("message_delta", {
      delta: { stop_reason: stopReason, stop_sequence: null },
      usage: { output_tokens: 5 },
    }),
    event("message_stop", {}),
  ];
}

function describe(reply: Reply): [block: object, delta: object, stopReason: string] {
  if (reply.kind === "call") {
    const block = { type: "tool_use", id: `toolu_${randomUUID()}`, name: reply.name, input: {} };
    const json = JSON.stringify(reply.input);
    return [block, { type: "input_json_delta", partial_json: json }, "tool_use"];
  }
  const text = reply.kind === "text" ? reply.text : reply.message;
  return [{ type: "text", text: "" }, { type: "text_delta", text }, "end_turn"];
}
