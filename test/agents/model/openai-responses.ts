import { randomUUID } from "node:crypto";
import type { Part, Reply, Request, Schema, Tool } from "./script.ts";
import type { ServerEvent } from "./server-event.ts";

interface Item {
  type?: string;
  role?: string;
  content?: string | readonly { text?: string }[];
  call_id?: string;
  output?: string | { content?: string } | readonly { text?: string }[];
  tools?: readonly Offered[];
}

interface Offered {
  type: string;
  name?: string;
  parameters?: Schema;
  /** Of a namespace. */
  tools?: readonly Offered[];
}

interface Body {
  model: string;
  input: string | readonly Item[];
  tools?: readonly Offered[];
}

/** The Responses API. */
export function readResponses(body: Body): Request {
  const items =
    typeof body.input === "string" ? [{ role: "user", content: body.input }] : body.input;
  // Newer models get their tools as an item of the input.
  const offered = [body, ...items].flatMap(
    ({ tools = [] }: { tools?: readonly Offered[] }) => tools,
  );
  return { parts: items.flatMap(readItem), tools: offered.flatMap(readTool) };
}

function readItem(item: Item): Part[] {
  const { type = "message", role, content = "", call_id: id = "", output = "" } = item;
  if (type === "function_call") return [{ kind: "call", id }];
  if (/^(function|custom_tool)_call_output$/.test(type)) {
    return [{ kind: "result", text: textOf(output) }];
  }
  if (type !== "message") return [];
  return [{ kind: role === "assistant" ? "assistant" : "user", text: textOf(content) }];
}

function textOf(value: NonNullable<Item["output"] | Item["content"]>): string {
  if (typeof value === "string") return value;
  if ("content" in value) return value.content ?? "";
  return (value as readonly { text?: string }[]).map(({ text = "" }) => text).join("\n");
}

function readTool({ type, name = "", parameters = {}, tools = [] }: Offered): Tool[] {
  if (type === "namespace") return tools.flatMap(readTool);
  if (type === "custom" && name === "exec") return [{ name, parameters, takesProgram: true }];
  return type === "function" ? [{ name, parameters }] : [];
}

export function writeResponses({ model }: Body, reply: Reply): ServerEvent[] {
  const response = {
    id: `resp_${randomUUID()}`,
    object: "response",
    model,
    status: "in_progress",
    output: [],
  };
  const item = describe(reply);
  const event = (type: string, fields: object): ServerEvent => ({
    event: type,
    data: { type, ...fields },
  });
  const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 };
  return [
    event("response.created", { response }),
    event("response.output_item.added", {
      output_index: 0,
      item: { ...item, status: "in_progress" },
    }),
    ...(reply.kind === "text"
      ? [
          event("response.output_text.delta", {
            item_id: item["id"],
            output_index: 0,
            content_index: 0,
            delta: reply.text,
          }),
        ]
      : []),
    event("response.output_item.done", { output_index: 0, item }),
    event("response.completed", {
      response: { ...response, status: "completed", output: [item], usage },
    }),
  ];
}

function describe(reply: Reply): Record<string, unknown> {
  if (reply.kind === "call" && typeof reply.input === "string") {
    return {
      id: `ctc_${randomUUID()}`,
      type: "custom_tool_call",
      status: "completed",
      name: reply.name,
      input: reply.input,
      call_id: `call_${randomUUID()}`,
    };
  }
  if (reply.kind === "call") {
    return {
      id: `fc_${randomUUID()}`,
      type: "function_call",
      status: "completed",
      name: reply.name,
      arguments: JSON.stringify(reply.input),
      call_id: `call_${randomUUID()}`,
    };
  }
  const text = reply.kind === "text" ? reply.text : reply.message;
  return {
    id: `msg_${randomUUID()}`,
    type: "message",
    role: "assistant",
    status: "completed",
    content: [{ type: "output_text", text, annotations: [] }],
  };
}
