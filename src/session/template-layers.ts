import type { AgentRegistry } from "../agent/registry.ts";
import type { Logger } from "../platform/logger.ts";
import type { ResolvedTemplate } from "../protocol/template.ts";
import { LayerUse } from "../sandbox/layer-use.ts";
import type { SandboxProvider } from "../sandbox/provider.ts";
import { findAgent, findProvider } from "../sandbox/registry.ts";
import type { LayersContext, LayersFor } from "../sandbox/starting.ts";
import type { LayerRow } from "../store/layer-rows.ts";
import type { Store } from "../store/store.ts";
import type { BuildingOptions } from "./building/build.ts";
import { createBuilding, type Building } from "./building/building.ts";
import { isSetupLayer } from "./building/layer-chain.ts";
import { createInstallation, findInstalled } from "./installation.ts";
import { createLayersFor } from "./layers.ts";

export interface TemplateLayersOptions extends Pick<
  BuildingOptions,
  "createThrowAway" | "layerBytesMax"
> {
  agents: AgentRegistry;
  providers: readonly SandboxProvider[];
  store: Store;
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
  /** Whether a template is built, and what its layers take. */
  look(template: ResolvedTemplate, wish: TemplateLook): Promise<TemplateState>;
  /** Layers that no sandbox uses and none has started on since `beforeMs`. */
  findUnused(beforeMs: number): Promise<readonly UnusedLayer[]>;
  /** Removes those of them that are unused still; tells which went. */
  collect(beforeMs: number): Promise<readonly UnusedLayer[]>;
}

export type TemplateBuildWish = Pick<
  LayersContext,
  "owner" | "isolation" | "mirrors" | "installTimeoutMs" | "signal" | "onEvent"
> & {
  /** Default: the template's, or the first. */
  provider?: string;
  isAnew?: boolean;
};

export interface TemplateLook {
  provider?: string;
  mirrors: LayersContext["mirrors"];
  signal: AbortSignal;
}

export interface TemplateState {
  provider: string;
  /** Of the setup's layers. */
  total: number;
  present: number;
  /** Of those that are there. */
  bytes: number;
  /** When the newest of them was built. */
  builtAt?: string;
  /** When a sandbox last started on one. */
  usedAt?: string;
}

export interface UnusedLayer {
  provider: string;
  layer: string;
  /** As far as it is known. */
  template?: string;
  bytes: number;
  usedAt?: string;
}

export function openTemplateLayers(options: TemplateLayersOptions): TemplateLayers {
  const { agents, store, providers, now = () => new Date() } = options;
  const use = new LayerUse();
  const { layers } = store;
  const building = createBuilding({ ...options, layers, use, now });
  const installed = createInstallation(options);
  const layersFor = createLayersFor({ agents, installed, building, layers, use, now });
  return {
    layersFor,
    async build(template, { provider: id, ...wish }) {
      const provider = findProvider(providers, id ?? template.provider);
      const agent = findAgent(agents, template.agent);
      const context = { ...wish, ...versionOf(template), provider };
      const below = await installed(agent.id, context);
      return [...below, ...(await building.make({ template, agent, below, context }))];
    },
    look: (template, { provider: id, ...wish }) =>
      look({ ...options, building }, template, {
        ...wish,
        provider: findProvider(providers, id ?? template.provider),
      }),
    findUnused: (beforeMs) => findUnused(options, beforeMs),
    async collect(beforeMs) {
      const removed: UnusedLayer[] = [];
      for (const unused of await findUnused(options, beforeMs)) {
        const { provider: id, layer } = unused;
        const isUsed = async (): Promise<boolean> =>
          !(await findUnused(options, beforeMs)).some(
            (each) => each.provider === id && each.layer === layer,
          );
        const remove = async (): Promise<void> => {
          await providers.find((each) => each.id === id)?.layers.remove(layer);
          await layers.remove(id, layer);
        };
        if (await use.remove(id, layer, { isUsed, remove })) removed.push(unused);
      }
      return removed;
    },
  };
}

/** The version of its agent that a template names. */
function versionOf({ agent, agents }: ResolvedTemplate): Pick<LayersContext, "agentVersion"> {
  const version = agents[agent]?.version;
  return version === undefined ? {} : { agentVersion: version };
}

async function look(
  { agents, store, building }: TemplateLayersOptions & { building: Building },
  template: ResolvedTemplate,
  wish: Omit<TemplateLook, "provider"> & { provider: SandboxProvider },
): Promise<TemplateState> {
  const { provider } = wish;
  const below = await findInstalled(findAgent(agents, template.agent), {
    ...wish,
    ...versionOf(template),
  });
  const built = await building.look({ template, below, context: wish });
  const rows = (await store.layers.list()).filter(
    (row) => row.provider === provider.id && built.layers.includes(row.layer),
  );
  const builtAt = rows
    .map((row) => row.builtAt)
    .toSorted()
    .at(-1);
  const usedAt = rows
    .map((row) => row.usedAt)
    .toSorted()
    .at(-1);
  return {
    provider: provider.id,
    total: built.total,
    present: built.layers.length,
    bytes: rows.reduce((sum, row) => sum + row.bytes, 0),
    ...(builtAt === undefined ? {} : { builtAt }),
    ...(usedAt === undefined ? {} : { usedAt }),
  };
}

async function findUnused(
  { store, providers }: TemplateLayersOptions,
  beforeMs: number,
): Promise<readonly UnusedLayer[]> {
  const rows = await store.sandboxes.list();
  const known = await store.layers.list();
  const found: UnusedLayer[] = [];
  for (const { id: provider, layers } of providers) {
    const used = new Set(
      rows.flatMap((row) => (row.provider === provider ? row.specification.layers : [])),
    );
    for (const layer of (await layers.list()).filter(isSetupLayer)) {
      if (used.has(layer)) continue;
      const row = known.find((each) => each.provider === provider && each.layer === layer);
      if (row === undefined) found.push({ provider, layer, bytes: 0 });
      else if (Date.parse(row.usedAt) < beforeMs) found.push(describe(row));
    }
  }
  return found;
}

function describe({ provider, layer, template, bytes, usedAt }: LayerRow): UnusedLayer {
  return { provider, layer, template, bytes, usedAt };
}
