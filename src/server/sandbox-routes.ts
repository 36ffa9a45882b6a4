import { CattlegridError } from "../errors/error.ts";
import type { Exec } from "../protocol/process.ts";
import { SANDBOX_ROUTES } from "../protocol/routes/sandbox.ts";
import { SANDBOX_NAME, type SandboxStart } from "../protocol/sandbox.ts";
import { type StartEvent } from "../protocol/start-event.ts";
import { openSandbox, type Api } from "./api.ts";
import { authorise } from "./authorise.ts";
import { createEventQueue, untilAborted } from "./event-queue.ts";
import { closedSignal, sendEvents } from "./event-stream.ts";
import { serve } from "./serve.ts";

const EVENT_STREAM = "text/event-stream";

export function addSandboxRoutes(api: Api): void {
  const { sandboxes } = api.engine;

  serve(api, SANDBOX_ROUTES.listSandboxes, async ({ principal }) => {
    authorise(principal, "read", { kind: "sandbox", owner: principal.id });
    return { sandboxes: await sandboxes.list(principal.id) };
  });

  serve(api, SANDBOX_ROUTES.createSandbox, async ({ principal, request, reply, body }) => {
    authorise(principal, "create", { kind: "sandbox", owner: principal.id });
    checkName(request.body);
    const wanted = body();
    await api.engine.secrets.require(wanted.bindings ?? {});
    const { sandbox, created } = await sandboxes.create(principal.id, wanted);
    if (!created) reply.code(200);
    return sandbox;
  });

  serve(api, SANDBOX_ROUTES.getSandbox, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return sandboxes.get(id);
  });

  serve(api, SANDBOX_ROUTES.removeSandbox, async ({ request, reply, query }) => {
    const { id } = await openSandbox(api, request, "remove");
    if (query.careful === "1") await refuseUnapplied(api, id, closedSignal(reply));
    await sandboxes.remove(id);
  });

  serve(api, SANDBOX_ROUTES.stopSandbox, async ({ request }) => {
    const { id } = await openSandbox(api, request, "use");
    return sandboxes.stop(id);
  });

  serve(api, SANDBOX_ROUTES.fetchFromSandbox, async ({ request, reply, body }) => {
    const { id } = await openSandbox(api, request, "use");
    return sandboxes.fetch(id, body().approve ?? [], closedSignal(reply));
  });

  serve(api, SANDBOX_ROUTES.executeInSandbox, async ({ request, reply, body }) => {
    const { id, owner } = await openSandbox(api, request, "use");
    const signal = closedSignal(reply);
    const exec = body();
    const secrets = await collectSecrets(api, owner, { exec, signal });
    const terminal = await sandboxes.exec(id, { ...exec, secrets }, signal);
    // Whoever was to attend to it is gone already.
    if (exec.attended === true && signal.aborted) await terminal.kill();
    return { terminalId: terminal.id };
  });

  serve(api, SANDBOX_ROUTES.listRecordings, async ({ request }) => {
    const { id } = await openSandbox(api, request, "read");
    return { recordings: await api.engine.terminals.recordings.list(id) };
  });

  serve(api, SANDBOX_ROUTES.keepSandbox, async ({ request }) => {
    const { id } = await openSandbox(api, request, "use");
    return api.engine.sandboxes.keep(id);
  });
  serve(api, SANDBOX_ROUTES.readRecording, async ({ request, reply }) => {
    const { id } = await openSandbox(api, request, "read");
    const { recordingId } = request.params;
    const bytes = await api.engine.terminals.recordings.read(id, recordingId);
    return reply.type("application/x-asciicast").send(bytes);
  });

  addStartRoute(api);
  addLeaseRoute(api);
  addEgressRoute(api);
}

/** SECURITY: a process of the user's own is given what was named for it, and nothing that is bound to an agent. */
async function collectSecrets(
  { engine }: Api,
  owner: string,
  { exec, signal }: { exec: Exec; signal: AbortSignal },
): Promise<NonNullable<Exec["secrets"]>> {
  const { environment, secrets = {}, bindings } = exec;
  if (bindings === undefined) return secrets;
  const given = new Set(Object.keys({ ...environment, ...secrets }));
  const layers = { request: bindings };
  return { ...(await engine.secrets.collect({ owner, layers, given }, signal)), ...secrets };
}

async function refuseUnapplied({ engine }: Api, id: string, signal: AbortSignal): Promise<void> {
  const count = await engine.sandboxes.changes.count(id, signal);
  if (count === 0) return;
  const what = count === 1 ? "a change that was" : `${count} changes that were`;
  throw new CattlegridError("CHANGES_UNAPPLIED", `The sandbox has ${what} not applied.`);
}

/** The schema says the same, but not so that a person who chose a name understands it. */
function checkName(body: unknown): void {
  const name = (body as { name?: unknown } | null | undefined)?.name;
  if (typeof name !== "string" || SANDBOX_NAME.test(name)) return;
  throw new CattlegridError("NAME_INVALID", `${JSON.stringify(name)} cannot be a name.`);
}

function addStartRoute(api: Api): void {
  const { engine, logger } = api;
  serve(api, SANDBOX_ROUTES.startSandbox, async ({ request, reply, body }) => {
    const { id } = await openSandbox(api, request, "use");
    const wanted = body();
    const signal = closedSignal(reply);
    if (request.headers.accept !== EVENT_STREAM) {
      return engine.sandboxes.start(id, wanted, { signal });
    }
    const events = startEvents(api, id, { body: wanted, signal });
    return sendEvents(reply, events, { logger, signal });
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

function addLeaseRoute(api: Api): void {
  serve(api, SANDBOX_ROUTES.leaseSandbox, async ({ request, reply }) => {
    const { id } = await openSandbox(api, request, "use");
    const signal = closedSignal(reply);
    const lease = api.engine.sandboxes.lease(id);
    try {
      await sendEvents(reply, untilAborted(signal), { ...api, signal, opensAtOnce: true });
    } finally {
      lease.close();
    }
  });
}

function addEgressRoute(api: Api): void {
  const { engine, logger } = api;
  serve(api, SANDBOX_ROUTES.readEgress, async ({ request, reply, query }) => {
    const { id } = await openSandbox(api, request, "read");
    const follow = query.follow === "1";
    const signal = closedSignal(reply);
    const records = engine.sandboxes.egress(id, { follow, signal });
    if (follow) return sendEvents(reply, records, { logger, signal, opensAtOnce: true });
    const lines: string[] = [];
    for await (const record of records) lines.push(`${JSON.stringify(record)}\n`);
    return reply.type("application/jsonl; charset=utf-8").send(lines.join(""));
  });
}
