import { randomUUID } from "node:crypto";
import type { Part, Reply, Request, Schema } from "./script.ts";

interface Content {
  role?: string;
  parts?: readonly {
    text?: string;
    functionCall?: { id?: string };
    functionResponse?: { response?: Readonly<Record<string, unknown>> };
  }[];
}

interface Body {
  contents: readonly Content[];
  tools?: readonly {
    functionDeclarations?: readonly {
      name: string;
      parameters?: Schema;
      parametersJsonSchema?: Schema;
    }[];
  }[];
}

/** `generateContent` and `streamGenerateContent`. */
export function readGemini(body: Body): Request {
  const declared = (body.tools ?? []).flatMap(
    ({ functionDeclarations = [] }) => functionDeclarations,
  );
  return {
    parts: body.contents.flatMap(readContent),
    tools: declared.map(({ name, parameters, parametersJsonSchema }) => ({
      name,
      parameters: parametersJsonSchema ?? parameters ?? {},
    })),
  };
}

function readContent({ role, parts = [] }: Content): Part[] {
  return parts.map((part): Part => {
    if (part.functionCall !== undefined) return { kind: "call", id: part.functionCall.id ?? "" };
    if (part.functionResponse !== undefined) {
      const { response = {} } = part.functionResponse;
      return { kind: "result", text: Object.values(response).map(String).join("\n") };
    }
    return { kind: role === "model" ? "assistant" : "user", text: part.text ?? "" };
  });
}

export function writeGemini(reply: Reply): object {
  return {
    candidates: [
      { index: 0, content: { role: "model", parts: [describe(reply)] }, finishReason: "STOP" },
    ],
    usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 },
    modelVersion: "scripted",
    responseId: randomUUID(),
  };
}

function describe(reply: Reply): object {
  if (reply.kind !== "call") return { text: reply.kind === "text" ? reply.text : reply.message };
  return { functionCall: { id: randomUUID(), name: reply.name, args: reply.input } };
}
