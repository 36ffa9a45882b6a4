import { z } from "zod";

/**
 * One operation of the API as data. Server, client, OpenAPI document and the page of routes are all made from it, so what
 * is declared is what is served. Each schema has an id (`.meta({ id: "Sandbox" })`): its name in the documents.
 */
export interface Route {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** As OpenAPI writes it: `/v1/sandboxes/{id}`. */
  path: `/v1/${string}`;
  /** One sentence in the present tense. */
  summary: string;
  /** The API's minor version that brought it. */
  since: number;
  /** Status of success. Default 200; 204 has no answer. `also`: another one, told in the summary. */
  status?: number;
  also?: number;
  /** Strict objects: what a request says that they do not know is refused. */
  query?: z.ZodObject;
  body?: z.ZodType;
  /** A body that is no JSON: its media type, passed to the handler as a stream. */
  upload?: string;
  /** Open objects: a reader passes over fields it does not know. */
  answer?: z.ZodType;
  /** The answer is a stream of server-sent events, each of this form; instead of `answer`, or beside it on request. */
  events?: z.ZodType;
  /** The answer is one JSON document a line. */
  lines?: z.ZodType;
  /** The answer is bytes of this media type. */
  download?: string;
  /** What the connection becomes: messages of a WebSocket, or plain bytes both ways. */
  upgrade?: "websocket" | "tcp";
}

export type RouteTable = Readonly<Record<string, Route>>;

/** Gives each route its exact type, which is where handlers and callers have theirs from. */
export function declareRoutes<const T extends RouteTable>(routes: T): T {
  return routes;
}

/** `{ id: string }` of `/v1/sandboxes/{id}`. */
export type PathParameters<P extends string> = P extends `${string}{${infer N}}${infer Rest}`
  ? Record<N, string> & PathParameters<Rest>
  : unknown;

export type BodyOf<R extends Route> = R extends { body: infer S extends z.ZodType }
  ? z.infer<S>
  : undefined;
export type QueryOf<R extends Route> = R extends { query: infer S extends z.ZodType }
  ? z.infer<S>
  : Record<never, never>;
export type AnswerOf<R extends Route> = R extends { answer: infer S extends z.ZodType }
  ? z.infer<S>
  : undefined;
export type EventOf<R extends Route> = R extends { events: infer S extends z.ZodType }
  ? z.infer<S>
  : never;

/** What a request without a body or a query may say: nothing. */
export const NOTHING = z.strictObject({}).meta({ id: "Nothing" });
