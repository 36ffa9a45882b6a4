import { CattlegridError } from "../../errors/error.ts";
import { describeLibc } from "../../platform/libc.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { LayerUse } from "../../sandbox/upkeep/layer-use.ts";
import type { SandboxProvider } from "../../sandbox/provider.ts";
import type { LayersContext } from "../../sandbox/life/starting.ts";
import { createSharedWork } from "../shared-work.ts";
import { build, type BuildingOptions, type BuildWish } from "./build.ts";
import {
  digestLayer,
  findSetupLayer,
  groupSteps,
  type LayerGround,
  type LayerPlan,
} from "./layer-chain.ts";
import { planBuild } from "./plan.ts";

export interface Building {
  /** The steps of each layer, and how many of the layers, from the lowest on, are there. Makes nothing. */
  look(wish: Pick<BuildWish, "template" | "below"> & { context: Place }): Promise<BuildForecast>;
  /** The layers of a template on top of its agent's, lowest first; makes what is missing. */
  make(wish: BuildWish): Promise<readonly string[]>;
}

export interface BuildForecast {
  plans: readonly LayerPlan[];
  found: number;
}

type Place = Pick<LayersContext, "provider" | "mirrors" | "base" | "signal">;

/** A template's layers, each kept under a digest of what it comes from. Two builds of one thing at a time are one. */
export function createBuilding(options: BuildingOptions): Building {
  const builds = createSharedWork();
  const { use } = options;
  return {
    async look({ template, below, context }) {
      const plans = planLayers(template, context.provider);
      if (plans.length === 0) return { plans, found: 0 };
      const ground = await groundOf({ template, below }, context);
      return { plans, found: (await find(ground, plans, { use, context })).length };
    },
    async make(wish) {
      const { template, context } = wish;
      const plans = planLayers(template, context.provider);
      if (plans.length === 0) return [];
      const ground = await groundOf(wish, context);
      const found = context.isAnew === true ? [] : await find(ground, plans, { use, context });
      if (found.length === plans.length) {
        context.pins?.use(use.pin(context.provider.id, found));
        return found;
      }
      const made: string[] = [];
      const last = [
        ...found,
        digestLayer(underlie(ground, found), plans.slice(found.length).flat()),
      ];
      const name = JSON.stringify([context.provider.id, last, context.isAnew === true]);
      await builds.run(
        name,
        async (signal, report) => {
          const work = { ...wish, ground, plans, found, signal, report };
          const layers = await build(options, work);
          made.push(...layers);
        },
        context,
      );
      // Somebody else's build of the same leaves it to be found.
      const layers = made.length > 0 ? made : await find(ground, plans, { use, context });
      context.pins?.use(use.pin(context.provider.id, layers));
      if (layers.length === plans.length) return layers;
      throw new CattlegridError(
        "INTERNAL",
        `A layer of ${template.name} vanished after it was made.`,
      );
    },
  };
}

function planLayers(template: ResolvedTemplate, provider: SandboxProvider): readonly LayerPlan[] {
  const plans = groupSteps(planBuild(template));
  if (plans.length === 0 || provider.declared.layers) return plans;
  const message = `The provider ${provider.id} has no layers, which template ${template.name} needs for its setup.`;
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: "There is nothing to build ahead: its steps are done in each sandbox. Or use --provider with one that has layers.",
  });
}

async function groundOf(
  { template, below }: Pick<BuildWish, "template" | "below">,
  { provider, mirrors, base, signal }: Place,
): Promise<LayerGround> {
  const userland = base?.id ?? (await provider.layers.userland?.(signal)) ?? describeLibc();
  return { below, userland, mirrored: mirrors !== null, policy: template.policy };
}

/** As many of the layers as are there, from the lowest on. */
async function find(
  ground: LayerGround,
  plans: readonly LayerPlan[],
  { use, context: { provider } }: { use: LayerUse; context: Place },
): Promise<readonly string[]> {
  const present = use.without(provider.id, await provider.layers.list());
  const found: string[] = [];
  for (const plan of plans) {
    const layer = findSetupLayer(digestLayer(underlie(ground, found), plan), present);
    if (layer === undefined) return found;
    found.push(layer);
  }
  return found;
}

function underlie(ground: LayerGround, layers: readonly string[]): LayerGround {
  return { ...ground, below: [...ground.below, ...layers] };
}
