import { CattlegridError } from "../errors/error.ts";
import {
  SANDBOX_NAME,
  sandboxCreateSchema,
  sandboxStartSchema,
  type SandboxStart,
  type StartEvent,
} from "../protocol/sandbox.ts";
import { execSchema, type ProcessStarted } from "../protocol/process.ts";
import { openSandbox, type Api, type IdParameters } from "./api.ts";
import { authorise } from "./authorise.ts";
import { createEventQueue } from "./event-queue.ts";
import { closedSignal, sendEvents } from "./event-stream.ts";
import { readBody } from "./request-body.ts";

const EVENT_STREAM = "text/event-stream";

export function addSandboxRoutes(api: Api): void {
  const { app, engine } = api;
  const { sandboxes } = engine;

  app.get("/v1/sandboxes", async (request) => {
    const principal = api.principalOf(request);
    authorise(principal, "read", { kind: "sandbox", owner: principal.id });
    return { sandboxes: await sandboxes.list(principal.id) };
  });

  app.post("/v1/sandboxes", async (request, reply) => {
    const principal = api.principalOf(request);
    authorise(principal, "create", { kind: "sandbox", owner: principal.id });
    checkName(request.body);
    const body = readBody(sandboxCreateSchema, request.body);
    const { sandbox, created } = await sandboxes.create(principal.id, body);
    return reply.code(created ? 201 : 200).send(sandbox);
  });

  app.get<IdParameters>("/v1/sandboxes/:id", async (request) => {
    const { id } = await openSandbox(api, request, "read");
    return sandboxes.get(id);
  });

  app.delete<IdParameters>("/v1/sandboxes/:id", async (request, reply) => {
    const { id } = await openSandbox(api, request, "remove");
    await sandboxes.remove(id);
    return reply.code(204).send();
  });

  app.post<IdParameters>("/v1/sandboxes/:id/stop", async (request) => {
    const { id } = await openSandbox(api, request, "use");
    return sandboxes.stop(id);
  });

  app.post<IdParameters>("/v1/sandboxes/:id/exec", async (request, reply) => {
    const { id } = await openSandbox(api, request, "use");
    const body = readBody(execSchema, request.body);
    const terminal = await sandboxes.exec(id, body, closedSignal(reply));
    return reply.code(201).send({ terminalId: terminal.id } satisfies ProcessStarted);
  });

  app.get<IdParameters>("/v1/sandboxes/:id/lease", async (request, reply) => {
    const { id } = await openSandbox(api, request, "use");
    const signal = closedSignal(reply);
    const lease = sandboxes.lease(id);
    try {
      await sendEvents(reply, untilAborted(signal), { ...api, signal, opensAtOnce: true });
    } finally {
      lease.close();
    }
  });

  addStartRoute(api);
  addEgressRoute(api);
}

/** The schema says the same, but not so that a person who chose a name understands it. */
function checkName(body: unknown): void {
  const name = (body as { name?: unknown } | null | undefined)?.name;
  if (typeof name !== "string" || SANDBOX_NAME.test(name)) return;
  throw new CattlegridError("NAME_INVALID", `${JSON.stringify(name)} cannot be a name.`);
}

function addStartRoute({ app, engine, logger, ...rest }: Api): void {
  const api = { app, engine, logger, ...rest };
  app.post<IdParameters>("/v1/sandboxes/:id/start", async (request, reply) => {
    const { id } = await openSandbox(api, request, "use");
    const body = readBody(sandboxStartSchema, request.body);
    const signal = closedSignal(reply);
    if (request.headers.accept !== EVENT_STREAM) {
      return engine.sandboxes.start(id, body, { signal });
    }
    return sendEvents(reply, startEvents(api, id, { body, signal }), { logger, signal });
  });
}

function startEvents(
  { engine }: Api,
  id: string,
  { body, signal }: { body: SandboxStart; signal: AbortSignal },
): AsyncIterable<StartEvent> {
  const events = createEventQueue<StartEvent>();
  const start = async (): Promise<void> => {
    try {
      const onEvent = (event: StartEvent): void => events.push(event);
      const sandbox = await engine.sandboxes.start(id, body, { signal, onEvent });
      events.push({ type: "sandbox-start", sandbox });
      events.end();
    } catch (error) {
      events.fail(error);
    }
  };
  void start();
  return events;
}

function addEgressRoute(api: Api): void {
  const { app, engine, logger } = api;
  app.get<IdParameters>("/v1/sandboxes/:id/egress", async (request, reply) => {
    const { id } = await openSandbox(api, request, "read");
    const follow = (request.query as Record<string, unknown>)["follow"] === "1";
    const signal = closedSignal(reply);
    const records = engine.sandboxes.egress(id, { follow, signal });
    if (follow) return sendEvents(reply, records, { logger, signal, opensAtOnce: true });
    const lines: string[] = [];
    for await (const record of records) lines.push(`${JSON.stringify(record)}\n`);
    return reply.type("application/jsonl; charset=utf-8").send(lines.join(""));
  });
}

/** No event at all: what counts is that the connection is there. */
function untilAborted(signal: AbortSignal): AsyncIterable<never> {
  const events = createEventQueue<never>();
  if (signal.aborted) events.end();
  signal.addEventListener("abort", () => events.end(), { once: true });
  return events;
}
