import { randomUUID } from "node:crypto";
import type { Part, Reply, Request, Schema } from "./script.ts";
import type { ServerEvent } from "./server-event.ts";

interface Message {
  role: string;
  content?: string | null | readonly { text?: string }[];
  tool_calls?: readonly { id: string }[];
}

interface Body {
  model: string;
  stream?: boolean;
  messages: readonly Message[];
  tools?: readonly { function: { name: string; parameters?: Schema } }[];
}

/** The Chat Completions API. */
export function readChat(body: Body): Request {
  return {
    parts: body.messages.flatMap(readMessage),
    tools: (body.tools ?? []).map(({ function: { name, parameters = {} } }) => ({
      name,
      parameters,
    })),
  };
}

function readMessage({ role, content, tool_calls: calls = [] }: Message): Part[] {
  const text = typeof content === "string" ? content : textOf(content ?? []);
  if (role === "tool") return [{ kind: "result", text }];
  if (role === "user") return [{ kind: "user", text }];
  if (role !== "assistant") return [];
  const called = calls.map(({ id }): Part => ({ kind: "call", id }));
  return [{ kind: "assistant", text }, ...called];
}

function textOf(blocks: readonly { text?: string }[]): string {
  return blocks.map(({ text = "" }) => text).join("\n");
}

export function writeChat({ model }: Body, reply: Reply): ServerEvent[] {
  const chunk = (delta: object, finish: string | null): ServerEvent => ({
    data: {
      id: `chatcmpl-${randomUUID()}`,
      object: "chat.completion.chunk",
      created: 1,
      model,
      choices: [{ index: 0, delta, finish_reason: finish }],
      usage: finish === null ? null : { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
    },
  });
  const isCall = reply.kind === "call";
  return [
    chunk({ role: "assistant", ...describe(reply) }, null),
    chunk({}, isCall ? "tool_calls" : "stop"),
    { data: "[DONE]" },
  ];
}

/** The same without streaming. */
export function writeWholeChat({ model }: Body, reply: Reply): object {
  return {
    id: `chatcmpl-${randomUUID()}`,
    object: "chat.completion",
    created: 1,
    model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", ...describe(reply) },
        finish_reason: reply.kind === "call" ? "tool_calls" : "stop",
      },
    ],
    usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  };
}

function describe(reply: Reply): object {
  if (reply.kind === "text") return { content: reply.text };
  if (reply.kind === "failure") return { content: reply.message };
  const call = { name: reply.name, arguments: JSON.stringify(reply.input) };
  const id = `call_${randomUUID()}`;
  return { content: null, tool_calls: [{ index: 0, id, type: "function", function: call }] };
}
