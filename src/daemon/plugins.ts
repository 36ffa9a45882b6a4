import type { AgentAdapter } from "../agent/agent.ts";
import { kiro } from "../agent/agents/kiro/kiro.ts";
import { shell } from "../agent/agents/shell/shell.ts";

/** In the order in which a person is offered them. */
export const AGENTS: readonly AgentAdapter[] = [kiro, shell];
