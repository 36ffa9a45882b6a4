import type { AgentAdapter } from "../agent/agent.ts";
import type { AgentFiles, BrokenAgent } from "../agent/registry.ts";
import { CattlegridError } from "../errors/error.ts";
import type { AgentSummary, BrokenAgentSummary } from "../protocol/agent.ts";
import { AGENT_ROUTES } from "../protocol/routes/agent.ts";
import type { Api } from "./api.ts";
import { authorise } from "./authorise.ts";
import { serve } from "./serve.ts";

export function addAgentRoutes(api: Api, owner: string): void {
  const { agents, secrets } = api.engine;
  const daemon = { kind: "daemon", owner } as const;

  serve(api, AGENT_ROUTES.listAgents, async ({ principal }) => {
    authorise(principal, "read", daemon);
    const shown = agents.list().map(async (agent) => {
      const bindings = await secrets.boundTo(principal.id, agent);
      return { ...summarise(agent), ...(Object.keys(bindings).length === 0 ? {} : { bindings }) };
    });
    return { agents: await Promise.all(shown), broken: agents.broken().map(describeBroken) };
  });

  serve(api, AGENT_ROUTES.addAgent, async ({ principal, request, body }) => {
    authorise(principal, "administer", daemon);
    return summarise(await filesOf(api).add(request.params.id, body()));
  });

  serve(api, AGENT_ROUTES.removeAgent, async ({ principal, request }) => {
    authorise(principal, "administer", daemon);
    await filesOf(api).remove(request.params.id);
  });
}

function filesOf(api: Api): AgentFiles {
  const { files } = api.engine.agents;
  if (files !== undefined) return files;
  throw new CattlegridError("AGENT_FILE_INVALID", "This engine keeps no agents' files.");
}

function describeBroken({ id, error }: BrokenAgent): BrokenAgentSummary {
  const { code, message, hint } = error;
  return { id, code, message, hint };
}

const HTTPS_PORT = 443;

function summarise(agent: AgentAdapter): AgentSummary {
  const { id, title, command, standaloneWords, credentials, turns, install, acp } = agent;
  const { locations, modelEndpoint, configuration } = agent;
  return {
    id,
    title,
    command,
    standaloneWords,
    credentials,
    locations,
    modelEndpoint,
    takesPrompts: turns !== undefined,
    ...(acp === undefined ? {} : { acp }),
    ...(configuration === undefined ? {} : { takes: configuration.takes }),
    ...(install?.version === undefined ? {} : { version: install.version }),
    hosts: agent.hosts.map(({ host, port = HTTPS_PORT, reason }) => ({ host, port, reason })),
  };
}
