import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import type { Logger } from "../platform/logger.ts";
import { toProblem } from "./problem.ts";

const HEARTBEAT_MS = 15_000;
const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  connection: "keep-alive",
} as const;

/** Aborts when the client goes away before it has its answer. */
export function closedSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const { raw } = reply;
  raw.once("close", () => {
    if (!raw.writableFinished) controller.abort();
  });
  if (raw.destroyed) controller.abort();
  return controller.signal;
}

export interface EventStreamOptions {
  signal: AbortSignal;
  logger: Logger;
  /** Sends the headers at once, for a stream whose first event may be long in coming. Default false. */
  opensAtOnce?: boolean;
}

/**
 * Sends each event as one server-sent event, at the client's pace. A failure before the first event is thrown, and
 * so becomes an answer with its own status; a later one is the last event, of type `problem`.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncIterable<unknown>,
  options: EventStreamOptions,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]();
  let step = options.opensAtOnce === true ? undefined : await iterator.next();
  open(reply);
  const beat = setInterval(() => reply.raw.write(":\n\n"), HEARTBEAT_MS);
  try {
    step ??= await iterator.next();
    while (step.done !== true && !options.signal.aborted) {
      await send(reply.raw, step.value, options.signal);
      step = await iterator.next();
    }
  } catch (error) {
    if (!options.signal.aborted) {
      options.logger.warn("an event stream failed", { error });
      await send(reply.raw, { type: "problem", problem: toProblem(error) }, options.signal);
    }
  } finally {
    clearInterval(beat);
    await iterator.return?.();
    reply.raw.end();
  }
}

function open(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.writeHead(200, HEADERS);
  reply.raw.flushHeaders();
}

async function send(raw: ServerResponse, event: unknown, signal: AbortSignal): Promise<void> {
  if (raw.destroyed || signal.aborted) return;
  if (raw.write(`${formatId(event)}data: ${JSON.stringify(event)}\n\n`)) return;
  try {
    await once(raw, "drain", { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** What a client gives back as `Last-Event-ID`, for events that have an id of their own. */
function formatId(event: unknown): string {
  const id = (event as { id?: unknown }).id;
  return typeof id === "string" && /^[\w-]+$/.test(id) ? `id: ${id}\n` : "";
}
