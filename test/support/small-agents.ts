import type { AgentAdapter } from "../../src/agent/agent.ts";
import { createAgentRegistry, type AgentRegistry } from "../../src/agent/registry.ts";

/** Two agents that need no installation. */
export function createSmallAgents(): AgentRegistry {
  return createAgentRegistry([makeAgent("shell"), makeAgent("other")]);
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
    locations: { configuration: [], signIn: [], conversations: [] },
    modelEndpoint: { kind: "none" },
  };
}
