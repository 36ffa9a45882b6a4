import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { Refusal, type Origin } from "./refusal.ts";

/** One request, read as far as routing needs it. */
export interface Call {
  readonly method: string;
  /** Without the query, as the client sent it. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly message: IncomingMessage;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

export interface Answer {
  status: number;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: string | Buffer | Readable;
  headers?: Readonly<Record<string, string>>;
}

export type Parameters = Readonly<Record<string, string>>;

/** The words of a path pattern as values: `/sandbox/:id/ports/:port`. */
export function matchPath(pattern: string, path: string): Parameters | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, word] of wanted.entries()) {
    const value = given[index] ?? "";
    if (word.startsWith(":")) found[word.slice(1)] = decodeURIComponent(value);
    else if (word !== value) return undefined;
  }
  return found;
}

export async function readBody(call: Call): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of call.message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The JSON body; an empty one is an empty object. */
export async function readJson<T extends object>(call: Call, origin: Origin): Promise<Partial<T>> {
  const text = (await readBody(call)).toString();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text) as Partial<T>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Refusal([origin, 400], error.message, { code: "INVALID_REQUEST_BODY" });
  }
}

export function json(value: unknown, status = 200): Answer {
  return { status, json: value };
}

export function nothing(status = 204): Answer {
  return { status };
}
