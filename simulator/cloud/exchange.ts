import type { IncomingMessage, ServerResponse } from "node:http";

const BODY_BYTES_MAX = 32 * 1024 * 1024;

/** One request with its answer still to be written. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** The name the client asked for, without a port. */
  host: string;
  url: URL;
}

export function openExchange(request: IncomingMessage, response: ServerResponse): Exchange {
  const authority = request.headers.host ?? "";
  const url = new URL(request.url ?? "/", `https://${authority === "" ? "unknown" : authority}`);
  return { request, response, host: url.hostname, url };
}

export async function readBody(exchange: Exchange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of exchange.request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new Error("The request is larger than 32 MiB.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export type JsonObject = Record<string, unknown>;

/** The body as an object; an empty or foreign body reads as an empty object. */
export async function readJson(exchange: Exchange): Promise<JsonObject> {
  const text = (await readBody(exchange)).toString();
  if (text === "") return {};
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null ? (value as JsonObject) : {};
}

export function textOf(object: JsonObject, key: string): string {
  const value = object[key];
  return typeof value === "string" ? value : "";
}

export function sendJson(exchange: Exchange, status: number, value: unknown): void {
  send(exchange, status, { type: "application/json", body: JSON.stringify(value) });
}

export interface Content {
  type: string;
  body: string | Buffer;
}

export function send(exchange: Exchange, status: number, content: Content): void {
  const body = Buffer.from(content.body);
  exchange.response.writeHead(status, {
    "content-type": content.type,
    "content-length": body.length,
    "cache-control": "no-store",
    "x-simulated-by": "cattlegrid kiro simulator",
  });
  exchange.response.end(body);
}
