import type { AgentAdapter } from "../agent/agent.ts";
import type { AgentSummary } from "../protocol/agent.ts";
import { API_VERSION, type DaemonVersion } from "../protocol/version.ts";
import { authorise } from "./authorise.ts";
import type { Api } from "./api.ts";
import { closedSignal } from "./event-stream.ts";

export interface DaemonFacts {
  /** Of the program. */
  version: string;
  stateDirectory: string;
  startedAt: string;
  /** Who may do everything with this daemon. */
  owner: string;
  agents: readonly AgentAdapter[];
}

export interface DaemonControl {
  /** Begins to end the daemon, once the answer is out. */
  shutDown(): void;
  /** Removes every sandbox and layer; then the state directory holds nothing that only the daemon can remove. */
  reset(): Promise<void>;
}

export function addDaemonRoutes(api: Api, facts: DaemonFacts, control: DaemonControl): void {
  const { app, engine } = api;
  const daemon = { kind: "daemon", owner: facts.owner } as const;

  app.get("/v1/version", async (request): Promise<DaemonVersion> => {
    authorise(api.principalOf(request), "read", daemon);
    return {
      version: facts.version,
      api: API_VERSION,
      pid: process.pid,
      startedAt: facts.startedAt,
      stateDirectory: facts.stateDirectory,
      sandboxesRunning: engine.sandboxes.countRunning(),
      sessionsOpen: engine.sessions.countOpen(),
    };
  });

  app.get("/v1/agents", async (request) => {
    authorise(api.principalOf(request), "read", daemon);
    return { agents: facts.agents.map(summarise) };
  });

  app.get("/v1/doctor", async (request, reply) => {
    authorise(api.principalOf(request), "read", daemon);
    return { probes: await engine.probe(closedSignal(reply)) };
  });

  app.post("/v1/shutdown", async (request, reply) => {
    authorise(api.principalOf(request), "administer", daemon);
    reply.raw.once("close", () => control.shutDown());
    return reply.code(202).send({});
  });

  app.post("/v1/reset", async (request, reply) => {
    authorise(api.principalOf(request), "administer", daemon);
    await control.reset();
    reply.raw.once("close", () => control.shutDown());
    return reply.code(200).send({});
  });
}

function summarise(agent: AgentAdapter): AgentSummary {
  const { id, title, command, standaloneWords, credentials, turns } = agent;
  return { id, title, command, standaloneWords, credentials, takesPrompts: turns !== undefined };
}
