import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AgentRegistry } from "../agent/registry.ts";
import type { Logger } from "../platform/logger.ts";
import type { EngineEvents } from "../sandbox/engine-events.ts";
import type { HostKeys } from "../sandbox/ports/host-keys.ts";
import type { ProviderSettings } from "../sandbox/provider-settings.ts";
import type { Sandboxes } from "../sandbox/sandboxes.ts";
import type { Terminals } from "../sandbox/terminals.ts";
import type { Secrets } from "../secret/secrets.ts";
import type { Health } from "../session/engine.ts";
import type { Logins } from "../session/sign-in/logins.ts";
import type { Sessions } from "../session/sessions.ts";
import type { TemplateLayers } from "../session/template-layers.ts";
import type { Templates } from "../template/templates.ts";
import type { Vault } from "../vault/vault.ts";
import { authorise, type Action, type Principal } from "./authorise.ts";

/** What the API stands on. */
export interface Engine {
  agents: AgentRegistry;
  sandboxes: Sandboxes;
  sessions: Sessions;
  terminals: Terminals;
  secrets: Secrets;
  vault: Pick<Vault, "rotate" | "describeKey" | "destroy">;
  hostKeys: HostKeys;
  events: Pick<EngineEvents, "read">;
  logins: Logins;
  templates: Templates;
  templateLayers: Pick<TemplateLayers, "build" | "look" | "list" | "findUnused" | "collect">;
  providerSettings: Pick<ProviderSettings, "declaredOf" | "give">;
  probe(signal: AbortSignal): Promise<Health>;
}

export interface Api {
  app: FastifyInstance;
  engine: Engine;
  logger: Logger;
  /** Who opened the connection of a request. */
  principalOf(request: Pick<FastifyRequest, "raw">): Principal;
}

/** A request on a path with an id. */
export type IdRequest = Pick<FastifyRequest, "raw"> & { params: { id: string } };

/** The sandbox that a path names by id or name, once the caller may do `action` with it. */
export async function openSandbox(
  api: Api,
  request: IdRequest,
  action: Action,
): Promise<{ id: string; owner: string }> {
  const principal = api.principalOf(request);
  const found = await api.engine.sandboxes.find(principal.id, request.params.id);
  authorise(principal, action, { kind: "sandbox", owner: found.owner });
  return found;
}

/** The same for a session. */
export async function openSession(
  api: Api,
  request: IdRequest,
  action: Action,
): Promise<{ id: string; owner: string }> {
  const found = await api.engine.sessions.get(request.params.id);
  authorise(api.principalOf(request), action, { kind: "session", owner: found.owner });
  return found;
}
