import type { AgentAdapter } from "../../src/agent/agent.ts";
import type { Agents } from "../../src/sandbox/registry.ts";

/** Two agents that need no installation. */
export function createSmallAgents(): Agents {
  const list = [makeAgent("shell"), makeAgent("other")];
  return { get: (id) => list.find((agent) => agent.id === id), list: () => list };
}

function makeAgent(id: string): AgentAdapter {
  return {
    id,
    title: id,
    command: ["sh"],
    hosts: [{ host: "service.example", reason: "its service" }],
    environment: { AGENT_MARK: id },
    credentials: ["AGENT_KEY"],
    standaloneWords: [],
  };
}
