import type { AgentRegistry } from "../agent/registry.ts";
import type { Logger } from "../platform/logger.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import type { TemplateLayer } from "../protocol/template-layer.ts";
import type { TemplatePlanLayer } from "../protocol/template-plan.ts";
import { removeLayer, standsOn } from "../sandbox/upkeep/pruning.ts";
import { baseLayer } from "../sandbox/upkeep/layer-use.ts";
import { prepareBase } from "../sandbox/making/base.ts";
import type { LayerUse } from "../sandbox/upkeep/layer-use.ts";
import type { Isolation, SandboxProvider } from "../sandbox/provider.ts";
import { findAgent, findProvider } from "../sandbox/registry.ts";
import { pinOf } from "./installation/agent-pin.ts";
import type { LayersContext, LayersFor } from "../sandbox/life/starting.ts";
import type { Store } from "../store/store.ts";
import type { BuildingOptions } from "./building/build.ts";
import { createBuilding } from "./building/building.ts";
import { isSetupLayer } from "./building/layer-chain.ts";
import { createInstallation, findInstalled } from "./installation/installation.ts";
import { createLayersFor } from "./installation/layers.ts";

export interface TemplateLayersOptions extends Pick<
  BuildingOptions,
  "createThrowAway" | "layerBytesMax"
> {
  agents: AgentRegistry;
  providers: readonly SandboxProvider[];
  store: Store;
  /** Shared with whatever else chooses and removes layers. */
  use: LayerUse;
  stateDirectory: string;
  logger: Logger;
  now?(): Date;
}

/** Builds templates ahead of need, tells what is there of them, and removes what nothing uses any more. */
export interface TemplateLayers {
  /** For sandboxes that start. */
  readonly layersFor: LayersFor;
  /** Makes what is missing of a template's layers, or with `isAnew` all of them; returns them, lowest first. */
  build(template: ResolvedTemplate, wish: TemplateBuildWish): Promise<readonly string[]>;
  /** What stands of a template, and what a start would have to make. Makes nothing. */
  look(
    template: ResolvedTemplate,
    where: Pick<TemplateBuildWish, "provider" | "mirrors" | "signal">,
  ): Promise<readonly TemplatePlanLayer[]>;
  /** What there is of setup layers, and of root file systems under them, the oldest first. */
  list(): Promise<readonly TemplateLayer[]>;
  /** Layers that no sandbox uses and none has started on since `beforeMs`. */
  findUnused(beforeMs: number): Promise<readonly TemplateLayer[]>;
  /** Removes those of them that are unused still; tells which went. */
  collect(beforeMs: number): Promise<readonly TemplateLayer[]>;
}

export type TemplateBuildWish = Pick<
  LayersContext,
  "owner" | "isolation" | "mirrors" | "installTimeoutMs" | "signal" | "onEvent"
> & {
  /** Default: the template's, or the first. */
  provider?: string;
  isAnew?: boolean;
};

export function openTemplateLayers(options: TemplateLayersOptions): TemplateLayers {
  const { agents, store, providers, use, now = () => new Date() } = options;
  const { layers } = store;
  const building = createBuilding({ ...options, layers, use, now });
  const installed = createInstallation(options);
  const layersFor = createLayersFor({ agents, installed, building, layers, use, now });
  return {
    layersFor,
    async build(template, { provider: id, ...wish }) {
      const provider = findProvider(providers, id ?? template.provider);
      const agent = findAgent(agents, template.agent);
      using pins = new DisposableStack();
      const keeping = { use, layers, now };
      const base = await prepareBase(keeping, { template, provider, signal: wish.signal, pins });
      // SECURITY: what a template demands of the boundary, its build has too; what no provider knows is refused there.
      const isolation = template.isolation as Isolation | undefined;
      const where = { provider, ...(isolation && { isolation }), ...(base && { base }) };
      const context = { ...where, ...wish, ...pinOf(template) };
      const below = await installed(agent.id, context);
      return [...below, ...(await building.make({ template, agent, below, context }))];
    },
    async look(template, { provider: id, ...where }) {
      const provider = findProvider(providers, id ?? template.provider);
      const agent = findAgent(agents, template.agent);
      // What stands on another base has its name of what that is unpacked to.
      const isKnown = template.base === "host";
      const context = { ...where, ...pinOf(template), provider };
      const below = isKnown ? await findInstalled(options, agent.id, context) : undefined;
      const { plans, found } = await building.look({ template, below: below ?? [], context });
      const stateOf = (isThere: boolean): TemplatePlanLayer["state"] => {
        if (!isKnown) return "unknown";
        return isThere ? "built" : "missing";
      };
      const own = { name: agent.title, state: stateOf(below !== undefined) };
      const steps = plans.map((plan, index) => ({
        name: plan.map((step) => step.name).join(", "),
        state: stateOf(below !== undefined && index < found),
      }));
      return [...(agent.install === undefined ? [] : [own]), ...steps];
    },
    list: () => listLayers(options),
    findUnused: (beforeMs) => findUnused(options, beforeMs),
    async collect(beforeMs) {
      const removed: TemplateLayer[] = [];
      for (const unused of await findUnused(options, beforeMs)) {
        const { provider: id, layer } = unused;
        const isUsed = async (): Promise<boolean> =>
          !(await findUnused(options, beforeMs)).some(
            (each) => each.provider === id && each.layer === layer,
          );
        const remove = async (): Promise<void> => {
          await removeLayer(providers, unused);
          await layers.remove(id, layer);
        };
        if (await use.remove(id, layer, { isUsed, remove })) removed.push(unused);
      }
      return removed;
    },
  };
}

async function listLayers({
  store,
  providers,
}: TemplateLayersOptions): Promise<readonly TemplateLayer[]> {
  const rows = await store.sandboxes.list();
  const known = await store.layers.list();
  const found: TemplateLayer[] = [];
  for (const { id: provider, layers, bases } of providers) {
    const kept = (await bases?.list()) ?? [];
    const all = [...(await layers.list()).filter(isSetupLayer), ...kept.map(baseLayer)];
    for (const layer of all) {
      const sandboxes = rows.filter(
        (row) => row.provider === provider && standsOn(row.specification, layer),
      ).length;
      const row = known.find((each) => each.provider === provider && each.layer === layer);
      found.push({ provider, layer, steps: [], bytes: 0, ...row, sandboxes });
    }
  }
  return found.toSorted((left, right) => ((left.builtAt ?? "") < (right.builtAt ?? "") ? -1 : 1));
}

/** One of which nothing is known was being made when an engine ended, and nothing stands on it. */
async function findUnused(
  options: TemplateLayersOptions,
  beforeMs: number,
): Promise<readonly TemplateLayer[]> {
  const layers = await listLayers(options);
  return layers.filter(
    ({ sandboxes, usedAt }) =>
      sandboxes === 0 && (usedAt === undefined || Date.parse(usedAt) < beforeMs),
  );
}
