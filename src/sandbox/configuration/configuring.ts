import type { TurnOptions } from "../../agent/agent.ts";
import type { CompiledConfiguration } from "../../agent/configuration/configuration.ts";
import type { AgentRegistry } from "../../agent/registry.ts";
import type { Store } from "../../store/store.ts";
import type { RunningSandbox } from "../provider.ts";
import { findAgent } from "../registry.ts";
import { compileConfiguration, placeConfiguration } from "./agent-configuration.ts";
import { describePlaced } from "./home-plan.ts";

export interface ConfiguringOptions {
  store: Pick<Store, "sandboxes">;
  agents: AgentRegistry;
}

/**
 * Puts what a sandbox's template says to its agent into the home once more, as a session with these options needs it, and
 * tells how the agent is then started. Undefined without a template, at no cost. SECURITY: what an agent made of its own
 * trust in one session so counts in no later one.
 */
export type Configure = (
  running: RunningSandbox,
  options: TurnOptions,
  signal: AbortSignal,
) => Promise<CompiledConfiguration | undefined>;

export function createConfigure({ store, agents }: ConfiguringOptions): Configure {
  return async (running, options, signal) => {
    const row = await store.sandboxes.get(running.id);
    if (row?.specification.template === undefined) return undefined;
    const place = { home: running.home, options };
    const configuration = compileConfiguration(row, findAgent(agents, row.agent), place);
    if (configuration === undefined) return undefined;
    await placeConfiguration({ running, row, signal }, configuration);
    await recordPlaced(store, running.id, configuration.files);
    return configuration.compiled;
  };
}

/** Remembers what lies in the home now, for the start that is to take it out again. */
export async function recordPlaced(
  { sandboxes }: Pick<Store, "sandboxes">,
  sandboxId: string,
  files: Parameters<typeof describePlaced>[0],
): Promise<void> {
  const placed = describePlaced(files);
  const specification = (await sandboxes.get(sandboxId))?.specification;
  if (specification === undefined) return;
  if (JSON.stringify(specification.placed) === JSON.stringify(placed)) return;
  await sandboxes.update(sandboxId, { specification: { ...specification, placed } });
}
