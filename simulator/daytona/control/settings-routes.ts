import { randomUUID } from "node:crypto";
import { applyNetwork, grantNetwork, type NetworkWish } from "../account.ts";
import { json, nothing, readJson, type Parameters } from "../exchange.ts";
import { Refusal } from "../refusal.ts";
import type { FakeSandbox, Intervals } from "../sandbox.ts";
import { checkNetwork } from "../sandbox-request.ts";
import { dto, type ControlHandler, type ControlRoutes, type Service } from "../service.ts";

const DEFAULT_LINK_SECONDS = 60;
const MAX_LINK_SECONDS = 24 * 60 * 60;

/** What of a sandbox can be changed, and the ways to it that are handed out. */
export const SETTINGS_ROUTES: ControlRoutes = {
  "POST /sandbox/:id/autostop/:minutes": interval("autoStopInterval"),
  "POST /sandbox/:id/autopause/:minutes": interval("autoPauseInterval"),
  "POST /sandbox/:id/autoarchive/:minutes": interval("autoArchiveInterval"),
  "POST /sandbox/:id/autodelete/:minutes": interval("autoDeleteInterval"),
  "POST /sandbox/:id/ttl/:minutes": (service, _call, parameters) => {
    const sandbox = service.sandboxes.get(parameters["id"] ?? "");
    sandbox.setTimeToLive(minutesOf(parameters, 0), service.clock.now());
    return dto(service, sandbox);
  },
  "PUT /sandbox/:id/labels": async (service, call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    const { labels } = await readJson<{ labels: Record<string, string> }>(call, "api");
    if (labels === undefined) throw new Refusal(["api", 400], "labels must be an object");
    sandbox.labels = labels;
    return json({ labels });
  },
  "POST /sandbox/:id/public/:isPublic": (service, _call, { id = "", isPublic = "" }) => {
    const sandbox = service.sandboxes.get(id);
    sandbox.isPublic = isPublic === "true";
    return dto(service, sandbox);
  },
  "POST /sandbox/:id/network-settings": async (service, call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    const wanted = await readJson<NetworkWish>(call, "api");
    checkNetwork(wanted);
    const granted = grantNetwork(service.account, wanted);
    sandbox.network = applyNetwork(sandbox.network, granted);
    sandbox.machine?.setNetwork(sandbox.network);
    return dto(service, sandbox);
  },
  "GET /sandbox/:id/signing-key": (service, _call, { id = "" }) =>
    json(service.sandboxes.get(id).signingKey),
  "POST /sandbox/:id/signing-key/rotate": (service, _call, { id = "" }) => {
    const sandbox = service.sandboxes.get(id);
    sandbox.signingKey = randomUUID();
    return json(sandbox.signingKey);
  },
  "GET /sandbox/:id/ports/:port/preview-url": (service, _call, { id = "", port = "" }) => {
    const sandbox = service.sandboxes.get(id);
    const url = previewUrl(service, `${portOf(port)}-${sandbox.id}`);
    return json({ sandboxId: sandbox.id, url, token: sandbox.previewToken });
  },
  "GET /sandbox/:id/ports/:port/signed-preview-url": (service, call, { id = "", port = "" }) => {
    const sandbox = service.sandboxes.get(id);
    const seconds = Number(call.query.get("expiresInSeconds") ?? DEFAULT_LINK_SECONDS);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > MAX_LINK_SECONDS) {
      throw new Refusal(["api", 400], "expiresInSeconds must be between 1 and 86400");
    }
    const link = addLink(sandbox, portOf(port), service.clock.now() + seconds * 1000);
    const url = previewUrl(service, `${link.port}-${link.token}`);
    return json({ sandboxId: sandbox.id, port: link.port, token: link.token, url });
  },
  "POST /sandbox/:id/ports/:port/signed-preview-url/:token/expire": (service, _call, found) => {
    service.sandboxes.get(found["id"] ?? "").links.delete(found["token"] ?? "");
    return nothing(200);
  },
};

function interval(name: keyof Intervals): ControlHandler {
  return (service, _call, parameters) => {
    const sandbox = service.sandboxes.get(parameters["id"] ?? "");
    sandbox.intervals[name] = minutesOf(parameters, name === "autoDeleteInterval" ? -1 : 0);
    return dto(service, sandbox);
  };
}

function minutesOf(parameters: Parameters, least: number): number {
  const minutes = Number(parameters["minutes"]);
  if (Number.isInteger(minutes) && minutes >= least) return minutes;
  throw new Refusal(["api", 400], "interval must be a whole number of minutes");
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port <= 65_535) return port;
  throw new Refusal(["api", 400], "Invalid port");
}

function addLink(
  sandbox: FakeSandbox,
  port: number,
  expiresAt: number,
): { port: number; token: string } {
  const token = randomUUID().replaceAll("-", "");
  sandbox.links.set(token, { port, expiresAt });
  return { port, token };
}

/** By host name, as the service has it; every `localhost` is this machine. */
function previewUrl({ origin }: Service, label: string): string {
  const { port } = new URL(origin);
  return `http://${label}.localhost:${port}`;
}
