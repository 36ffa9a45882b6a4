import { CattlegridError } from "../errors/error.ts";
import type { AgentAdapter } from "./agent.ts";

/** The agents one engine knows, in the order in which a person is offered them. */
export interface AgentRegistry {
  get(id: string): AgentAdapter | undefined;
  list(): readonly AgentAdapter[];
}

/** Adapters are passed in: nothing here knows which there are. */
export function createAgentRegistry(adapters: readonly AgentAdapter[]): AgentRegistry {
  const byId = new Map(adapters.map((adapter) => [adapter.id, adapter]));
  if (byId.size !== adapters.length) {
    throw new CattlegridError("INTERNAL", "Two agent adapters have the same id.");
  }
  return { get: (id) => byId.get(id), list: () => adapters };
}
