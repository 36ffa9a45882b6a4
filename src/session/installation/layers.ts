import type { AgentRegistry } from "../../agent/registry.ts";
import type { LayerUse } from "../../sandbox/upkeep/layer-use.ts";
import { findAgent } from "../../sandbox/registry.ts";
import { pinOf } from "./agent-pin.ts";
import type { LayersContext, LayersFor } from "../../sandbox/life/starting.ts";
import type { LayerRepository } from "../../store/layer-rows.ts";
import type { Building } from "../building/building.ts";

export interface LayersOptions {
  agents: AgentRegistry;
  /** Those of an agent alone. */
  installed: LayersFor;
  building: Building;
  layers: LayerRepository;
  use: LayerUse;
  now(): Date;
}

/** What a sandbox's home stands on: its agent's layers, and on top of them its template's. Makes what is missing. */
export function createLayersFor(options: LayersOptions): LayersFor {
  const { layers, use, now } = options;
  return async (agentId, context) => {
    const { template, provider } = context;
    const found = (await findPresent(use, context)) ?? (await make(options, agentId, context));
    if (template !== undefined) await layers.touch(provider.id, found, now().toISOString());
    return found;
  };
}

/**
 * What a sandbox made from a template stood on before, if all of that is there still: an overlay must not get other
 * layers under what was written over it, and a template that was edited since changes nothing of the sandbox.
 */
async function findPresent(
  use: LayerUse,
  { template, present = [], provider, pins }: LayersContext,
): Promise<readonly string[] | undefined> {
  if (template === undefined || present.length === 0) return undefined;
  const there = new Set(use.without(provider.id, await provider.layers.list()));
  if (!present.every((layer) => there.has(layer))) return undefined;
  pins?.use(use.pin(provider.id, present));
  return present;
}

async function make(
  { agents, installed, building }: LayersOptions,
  agentId: string,
  context: LayersContext,
): Promise<readonly string[]> {
  const { template } = context;
  const pin = template === undefined ? {} : pinOf(template);
  const below = await installed(agentId, { ...context, ...pin });
  if (template === undefined) return below;
  const agent = findAgent(agents, agentId);
  return [...below, ...(await building.make({ template, agent, below, context }))];
}
