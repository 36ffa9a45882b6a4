import { readAnthropic, writeAnthropic } from "./anthropic.ts";
import { readGemini, writeGemini } from "./gemini.ts";
import { readChat, writeChat, writeWholeChat } from "./openai-chat.ts";
import { readResponses, writeResponses } from "./openai-responses.ts";
import { reply, type Reply } from "./script.ts";
import { renderEvents } from "./server-event.ts";

export interface ModelAnswer {
  status: number;
  type: "application/json" | "text/event-stream";
  body: string;
}

/** Answers one POST to a model's API by its path; undefined when there is no such API. */
export function answerModel(path: string, text: string): ModelAnswer | undefined {
  const body = JSON.parse(text) as never;
  if (path.endsWith("/messages")) {
    return answer(reply(readAnthropic(body)), (made) => renderEvents(writeAnthropic(body, made)));
  }
  if (path.endsWith("/responses")) {
    return answer(reply(readResponses(body)), (made) => renderEvents(writeResponses(body, made)));
  }
  if (path.endsWith("/chat/completions")) {
    const streamed = (body as { stream?: boolean }).stream === true;
    if (!streamed) return whole(reply(readChat(body)), (made) => writeWholeChat(body, made));
    return answer(reply(readChat(body)), (made) => renderEvents(writeChat(body, made)));
  }
  if (path.endsWith(":generateContent")) return whole(reply(readGemini(body)), writeGemini);
  if (path.endsWith(":streamGenerateContent")) {
    return answer(reply(readGemini(body)), (made) => renderEvents([{ data: writeGemini(made) }]));
  }
  return undefined;
}

function answer(made: Reply, write: (made: Reply) => string): ModelAnswer {
  if (made.kind === "failure") return refuse(made);
  return { status: 200, type: "text/event-stream", body: write(made) };
}

function whole(made: Reply, write: (made: Reply) => object): ModelAnswer {
  if (made.kind === "failure") return refuse(made);
  return { status: 200, type: "application/json", body: JSON.stringify(write(made)) };
}

/** In the form that all of them take: an error with a type and a message. */
function refuse({ status, message }: Reply & { kind: "failure" }): ModelAnswer {
  const error = {
    type: "invalid_request_error",
    code: status,
    status: "INVALID_ARGUMENT",
    message,
  };
  return { status, type: "application/json", body: JSON.stringify({ type: "error", error }) };
}
