import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Answer, Call } from "./exchange.ts";
import type { RequestFault } from "./faults.ts";
import { findPreview, servePreview } from "./preview.ts";
import { Refusal } from "./refusal.ts";
import type { LoggedRequest, RequestLog } from "./request-log.ts";
import { answerCall } from "./routing.ts";
import type { Service } from "./service.ts";

export interface FrontOptions {
  service: Service;
  key: string;
  log: RequestLog;
}

/** Answers one HTTP request, or does to it what a fault says. */
export async function serveRequest(
  { service, key, log }: FrontOptions,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const call = readCall(message, response);
  const preview = findPreview(service, message);
  if (preview !== undefined) {
    try {
      return await servePreview(service, preview, [message, response]);
    } catch (error) {
      if (response.headersSent) throw error;
      const answer = toAnswer(service, call, error);
      return write(response, answer, service);
    }
  }
  const logged = toLogged(call);
  log.add(logged);
  const fault = service.faults.nextForRequest(call);
  if (fault?.kind === "silence") return;
  if (fault?.kind === "reset") return void message.socket.resetAndDestroy();
  if (fault?.kind === "delay") await fault.until;
  const answer = await meet(fault, service, { key, call }).catch((error: unknown) =>
    toAnswer(service, call, error),
  );
  if (fault?.kind === "reset-after") return void message.socket.resetAndDestroy();
  await write(response, answer, service);
  logged.status = answer.status;
  log.answered();
}

export function toLogged({
  method,
  path,
  query,
  headers,
}: Omit<Call, "message" | "signal">): LoggedRequest {
  const source = headers["x-daytona-source"];
  return {
    method,
    path,
    query: query.toString(),
    source: source === undefined ? undefined : String(source),
  };
}

async function meet(
  fault: RequestFault | undefined,
  service: Service,
  { key, call }: { key: string; call: Call },
): Promise<Answer> {
  if (fault?.kind === "answer") return fault.answer;
  if (fault?.kind === "refuse") throw fault.refusal;
  return answerCall(service, key, call);
}

function toAnswer({ clock }: Service, { method, path }: Call, error: unknown): Answer {
  const refusal = error instanceof Refusal ? error : unforeseen(error);
  const json = refusal.toJson({ method, path, date: clock.date() });
  return { status: refusal.status, json, headers: refusal.headers };
}

/** What goes wrong in the fake itself shows, so that no test takes it for the service. */
function unforeseen(error: unknown): Refusal {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Refusal(["api", 500], `The fake Daytona failed: ${text}`);
}

function readCall(message: IncomingMessage, response: ServerResponse): Call {
  const url = new URL(message.url ?? "/", "http://fake.invalid");
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  return {
    method: message.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    message,
    signal: controller.signal,
  };
}

async function write(response: ServerResponse, answer: Answer, service: Service): Promise<void> {
  // What the client still sends is of no use; unread it would keep the connection from its next request.
  response.req.resume();
  const { status, json, body, headers } = answer;
  response.setHeader("Date", service.clock.date().toUTCString());
  response.setHeader("X-Daytona-Api-Version", "v0.0.0-fake");
  if (json !== undefined) response.setHeader("Content-Type", "application/json; charset=utf-8");
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  response.writeHead(status);
  if (body instanceof Readable) return pipeline(body, response);
  response.end(json === undefined ? body : JSON.stringify(json));
}
