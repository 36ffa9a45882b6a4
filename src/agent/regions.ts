import { CattlegridError } from "../errors/error.ts";
import type { AgentAdapter, AgentHost } from "./agent.ts";

/** The hosts that an agent needs in these regions, each once; without regions, its default. Throws AGENT_REGION_UNKNOWN. */
export function hostsIn(
  agent: AgentAdapter,
  regions: readonly string[] | undefined,
): readonly AgentHost[] {
  if (regions === undefined || regions.length === 0) return agent.hosts;
  const found = regions.flatMap((region) => {
    const known = agent.regions ?? {};
    if (Object.hasOwn(known, region)) return known[region] ?? [];
    throw new CattlegridError("AGENT_REGION_UNKNOWN", `${agent.title} has no region ${region}.`, {
      hint: describeRegions(agent),
    });
  });
  return [...new Map(found.map((entry) => [`${entry.host}:${entry.port ?? 443}`, entry])).values()];
}

function describeRegions({ title, regions = {} }: AgentAdapter): string {
  const names = Object.keys(regions);
  if (names.length === 0) return `Leave --region out: ${title} has no regions.`;
  return `Its regions are ${names.join(", ")}.`;
}
