import { CattlegridError } from "../errors/error.ts";
import type { AgentAdapter } from "./agent.ts";

/** The agents one engine knows, in the order in which a person is offered them. */
export interface AgentRegistry {
  /** Throws AGENT_FILE_INVALID for one whose file cannot be read. */
  get(id: string): AgentAdapter | undefined;
  list(): readonly AgentAdapter[];
  /** Agents that are not on the list because their files are wrong. */
  broken(): readonly BrokenAgent[];
  /** Absent: no agents come from files. */
  files?: AgentFiles;
}

/** The files with which an owner brings agents of their own. */
export interface AgentFiles {
  /** Replaces an earlier file, at once as a whole. `path` is where the text comes from. Throws AGENT_FILE_INVALID. */
  add(id: string, file: { path: string; text: string }): Promise<AgentAdapter>;
  /** Throws AGENT_UNKNOWN when the owner has no such file. */
  remove(id: string): Promise<void>;
}

export interface BrokenAgent {
  id: string;
  error: CattlegridError;
}

/** Adapters are passed in: nothing here knows which there are. */
export function createAgentRegistry(adapters: readonly AgentAdapter[]): AgentRegistry {
  const byId = new Map(adapters.map((adapter) => [adapter.id, adapter]));
  if (byId.size !== adapters.length) {
    throw new CattlegridError("INTERNAL", "Two agent adapters have the same id.");
  }
  return { get: (id) => byId.get(id), list: () => adapters, broken: () => [] };
}
