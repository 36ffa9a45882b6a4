import type { AgentRegistry } from "../agent/registry.ts";
import type { TemplatePlan, TemplatePlanWish } from "../protocol/template-plan.ts";
import { compileConfiguration } from "../sandbox/configuration/agent-configuration.ts";
import { findAgent } from "../sandbox/registry.ts";
import type { Templates } from "../template/templates.ts";
import type { TemplateLayers } from "./template-layers.ts";

export interface PlanningOptions {
  agents: AgentRegistry;
  templates: Pick<Templates, "preview">;
  templateLayers: Pick<TemplateLayers, "look">;
}

/**
 * What a sandbox made from a template would be. Makes nothing, and needs neither approval nor secrets. Throws what making it
 * would throw for what the template says.
 */
export async function planTemplate(
  { agents, templates, templateLayers }: PlanningOptions,
  name: string,
  wish: TemplatePlanWish & { owner: string; signal: AbortSignal },
): Promise<TemplatePlan> {
  const { owner, workspace, agent: agentId, parameters = {}, provider, mirrors, signal } = wish;
  const use = { owner, workspace, agent: agentId };
  const template = await templates.preview({ name, parameters }, use);
  const specification = {
    template,
    workspace: workspace === undefined ? null : { path: workspace, mode: "direct" as const },
    layers: [],
    environment: {},
  };
  const configuration = compileConfiguration(
    { id: `plan of ${name}`, specification },
    findAgent(agents, template.agent),
  );
  const { arguments: change, interactive = [], environment = {} } = configuration?.compiled ?? {};
  const files = configuration?.files ?? [];
  return {
    template,
    layers: await templateLayers.look(template, {
      signal,
      mirrors: mirrors ?? null,
      ...(provider === undefined ? {} : { provider }),
    }),
    arguments: change ?? { without: [], with: [] },
    interactive,
    environmentNames: Object.keys(environment),
    files: files.map(({ path }) => path).toSorted(),
  };
}
