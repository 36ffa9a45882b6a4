import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { LayersContext } from "../../sandbox/life/starting.ts";

/** Which file of its agent a template names. */
export function pinOf({
  agent,
  agents,
}: ResolvedTemplate): Pick<LayersContext, "agentVersion" | "agentChecksum"> {
  const { version, checksum } = agents[agent] ?? {};
  return {
    ...(version === undefined ? {} : { agentVersion: version }),
    ...(checksum === undefined ? {} : { agentChecksum: checksum }),
  };
}
