import { json, nothing, readJson } from "../exchange.ts";
import { Refusal } from "../refusal.ts";
import type { FakeSandbox, Resources } from "../sandbox.ts";
import type { SandboxRequest } from "../sandbox-request.ts";
import { dto, toolboxUrl, type ControlRoutes } from "../service.ts";
import { listSandboxes } from "./sandbox-list.ts";

/** Making sandboxes, finding them, and taking them from state to state. */
export const SANDBOX_ROUTES: ControlRoutes = {
  "POST /sandbox": async (service, call) => {
    const request = await readJson<SandboxRequest>(call, "api");
    return dto(service, await service.sandboxes.create(request));
  },
  "GET /sandbox": (service, call) => json(listSandboxes(service, call.query)),
  "GET /sandbox/:id": (service, _call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    sandbox.polls += 1;
    service.events.emit("poll", sandbox);
    return dto(service, sandbox);
  },
  "DELETE /sandbox/:id": (service, _call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    service.sandboxes.destroySoon(sandbox);
    return dto(service, sandbox);
  },
  "POST /sandbox/:id/start": async (service, _call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    await service.sandboxes.start(sandbox);
    return dto(service, sandbox);
  },
  "POST /sandbox/:id/stop": async (service, _call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    await service.sandboxes.stop(sandbox);
    return dto(service, sandbox);
  },
  "POST /sandbox/:id/archive": async (service, _call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    await service.sandboxes.archive(sandbox);
    return dto(service, sandbox);
  },
  "POST /sandbox/:id/pause": () => {
    const message = "Pausing is not supported for this sandbox class: container";
    throw new Refusal(["api", 400], message);
  },
  "POST /sandbox/:id/recover": (service, _call, { id = "" }) => {
    service.sandboxes.get(id);
    throw new Refusal(["api", 400], "Sandbox is not in a recoverable error state");
  },
  "POST /sandbox/:id/resize": async (service, call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    const wanted = await readJson<Resources>(call, "api");
    service.sandboxes.resize(sandbox, wanted);
    return dto(service, sandbox);
  },
  "POST /sandbox/:id/fork": async (service, call, { id = "" }) => {
    const parent = service.sandboxes.get(id);
    const { name } = await readJson<{ name: string }>(call, "api");
    return dto(service, await service.sandboxes.fork(parent, name));
  },
  "POST /sandbox/:id/snapshot": async (service, call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    const { name } = await readJson<{ name: string }>(call, "api");
    if (name === undefined) throw new Refusal(["api", 400], "name should not be empty");
    const files = await service.sandboxes.filesOf(sandbox);
    const { resources } = sandbox;
    service.snapshots.add({ name, files, resources, now: service.clock.now() });
    return dto(service, sandbox);
  },
  "POST /sandbox/:id/last-activity": (service, _call, { id = "" }) => {
    service.sandboxes.get(id).lastActivityAt = service.clock.now();
    return nothing(201);
  },
  "GET /sandbox/:id/toolbox-proxy-url": (service, _call, { id = "" }) => {
    service.sandboxes.get(id);
    return json({ url: toolboxUrl(service) });
  },
  "GET /sandbox/:id/build-logs-url": (service, _call, { id = "" }) => {
    const sandbox: FakeSandbox = service.sandboxes.get(id);
    return json({ url: `${service.origin}/build-logs/${sandbox.id}` });
  },
};
