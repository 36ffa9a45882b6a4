import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { AgentAdapter } from "../../agent/agent.ts";
import { hostsIn } from "../../agent/regions.ts";
import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import { checkDiskSpace } from "../../platform/disk.ts";
import type { Logger } from "../../platform/logger.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { LayerUse } from "../../sandbox/upkeep/layer-use.ts";
import type { LayersContext } from "../../sandbox/life/starting.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "../../sandbox/life/throw-away.ts";
import type { LayerRepository } from "../../store/layer-rows.ts";
import { openBuildLog, type BuildLog } from "./build-log.ts";
import { digestLayer, nextSetupLayer, type LayerGround, type LayerPlan } from "./layer-chain.ts";
import { withRefusals } from "./refusals.ts";
import { runStep, type StepPlace } from "./run-step.ts";

const LAYER_BYTES_MAX = 20 * 2 ** 30;
const DISK_BYTES = 64 * 1024 * 1024;
/** Of the disk: what a build leaves to the rest, most of all to the record of what goes on. */
const RESERVE_BYTES_MAX = 256 * 1024 * 1024;
const RESERVE_SHARE = 0.05;

export interface BuildingOptions {
  createThrowAway(options: ThrowAwayOptions): Promise<ThrowAwaySandbox>;
  layers: LayerRepository;
  use: LayerUse;
  /** Its disk is where layers come to lie. */
  stateDirectory: string;
  logger: Logger;
  now(): Date;
  /** The most that one layer may take. Default: 20 GiB. */
  layerBytesMax?: number;
}

export interface BuildWish {
  template: ResolvedTemplate;
  agent: AgentAdapter;
  /** Layers of the agent, lowest first. */
  below: readonly string[];
  context: BuildContext;
}

export type BuildContext = Pick<
  LayersContext,
  "provider" | "isolation" | "mirrors" | "base" | "signal" | "onEvent" | "pins"
> & {
  /** Nothing that is there already counts. */
  isAnew?: boolean;
};

export interface BuildWork extends BuildWish {
  ground: LayerGround;
  plans: readonly LayerPlan[];
  /** Of the layers, those that are there. */
  found: readonly string[];
  /** Aborts when nobody waits any more. */
  signal: AbortSignal;
  report(event: StartEvent): void;
}

/**
 * Makes the layers that are missing, one after the other; returns all. Each is whole once it is there: what fails leaves
 * those before it, nothing of its own, and a log.
 */
export async function build(options: BuildingOptions, work: BuildWork): Promise<readonly string[]> {
  const { template, plans, found, report } = work;
  await checkDiskSpace(options.stateDirectory, DISK_BYTES);
  const log = await openBuildLog(join(options.stateDirectory, "builds"), template.name);
  const steps = plans.flat().length;
  const cached = plans.slice(0, found.length).flat().length;
  const text = `Building template ${template.name}: ${steps - cached} of ${steps} steps.`;
  report({ type: "build-start", template: template.name, steps, cached, text });
  log.say(text);
  using pins = new DisposableStack();
  pins.use(options.use.pin(work.context.provider.id, found));
  const layers = [...found];
  try {
    for (const plan of plans.slice(found.length)) {
      const layer = await buildLayer(options, work, { plan, layers, log });
      pins.use(options.use.pin(work.context.provider.id, [layer]));
      layers.push(layer);
    }
  } catch (error) {
    throw withLog(error, log);
  } finally {
    await log.close();
  }
  const done = `Built template ${template.name}.`;
  const told = { template: template.name, log: log.path, layers, text: done };
  report({ type: "build-end", ...told });
  options.logger.info("template built", { template: template.name, layers });
  return layers;
}

/** Which log tells more, on every failure but that of nobody waiting. */
export function withLog(error: unknown, log: BuildLog): CattlegridError {
  const { code, message, hint, details } = asCattlegridError(error);
  log.say(`${code}: ${message}`);
  return new CattlegridError(code, message, {
    hint: `${hint} The log is ${log.path}.`,
    details: { ...details, log: log.path },
    cause: error,
  });
}

interface LayerWork {
  plan: LayerPlan;
  /** Those made or found so far. */
  layers: readonly string[];
  log: BuildLog;
}

async function buildLayer(
  options: BuildingOptions,
  work: BuildWork,
  { plan, layers, log }: LayerWork,
): Promise<string> {
  const { provider } = work.context;
  const below = [...work.ground.below, ...layers];
  const before = work.plans.flat().indexOf(plan[0] as (typeof plan)[number]);
  const box = await openBuildSandbox(options, work, { layers: below, plan });
  try {
    for (const [index, step] of plan.entries()) {
      const number = before + index + 1;
      const steps = work.plans.flat().length;
      const text = `Step ${number} of ${steps}: ${step.name}`;
      work.report({ type: "build-step", number, steps, name: step.name, text });
      log.say(text);
      await runGuarded(options, { ...work, step, box, log });
    }
    // From here on nothing may be cut short: sealing is atomic and takes no signal.
    work.signal.throwIfAborted();
    const digest = digestLayer({ ...work.ground, below }, plan);
    const layer = nextSetupLayer(digest, await provider.layers.list());
    await box.seal(layer);
    await keep(options, work, { layer, plan });
    return layer;
  } finally {
    await box.remove();
  }
}

/** SECURITY: under the template's own policy, and with nothing of any person: no secret, no sign-in, no workspace. */
function openBuildSandbox(
  options: BuildingOptions,
  { template, agent, context, signal }: BuildWork,
  { layers, plan }: { layers: readonly string[]; plan: LayerPlan },
): Promise<ThrowAwaySandbox> {
  const { preset, allow } = template.policy;
  const { id, environment } = agent;
  const hosts = hostsIn(agent, template.regions);
  return options.createThrowAway({
    agent: { id, environment, hosts },
    provider: context.provider,
    ...(context.isolation === undefined ? {} : { isolation: context.isolation }),
    mirrors: context.mirrors,
    layers,
    ...(context.base && { base: context.base, hasRoot: plan.some(({ root }) => root) }),
    policy: { preset: preset ?? "agent", allow, above: template },
    purpose: "build",
    signal,
  });
}

/** Throws DISK_FULL when it was the disk that a step failed for, and ends a step before the disk is full. */
async function runGuarded(
  options: BuildingOptions,
  place: StepPlace & BuildWork & { box: ThrowAwaySandbox },
): Promise<void> {
  const { stateDirectory } = options;
  const full = new AbortController();
  const check = async (): Promise<void> => {
    if (await isDiskFull(stateDirectory)) full.abort();
  };
  const timer = setInterval(() => void check().catch(() => full.abort()), 500);
  try {
    await runStep({ ...place, signal: AbortSignal.any([place.signal, full.signal]) });
  } catch (error) {
    await check();
    if (full.signal.aborted && !place.signal.aborted) {
      const message = `The disk that holds ${stateDirectory} is full: step "${place.step.name}" wrote too much.`;
      throw new CattlegridError("DISK_FULL", message, { cause: error });
    }
    throw await withRefusals(error, { box: place.box, name: place.step.name });
  } finally {
    clearInterval(timer);
  }
}

async function isDiskFull(path: string): Promise<boolean> {
  const { bavail, bsize, blocks } = await statfs(path);
  return bavail * bsize < Math.min(RESERVE_BYTES_MAX, blocks * bsize * RESERVE_SHARE);
}

async function keep(
  options: BuildingOptions,
  { template, context: { provider } }: BuildWork,
  { layer, plan }: { layer: string; plan: LayerPlan },
): Promise<void> {
  const bytes = (await provider.layers.measure?.(layer)) ?? 0;
  const bytesMax = options.layerBytesMax ?? LAYER_BYTES_MAX;
  if (bytes > bytesMax) {
    await provider.layers.remove(layer);
    const shown = (each: number): string => `${Math.round(each / 2 ** 20)} MiB`;
    const names = plan.map(({ name }) => `"${name}"`).join(", ");
    const message = `What ${names} wrote takes ${shown(bytes)}; a layer may take ${shown(bytesMax)}.`;
    throw new CattlegridError("LAYER_TOO_LARGE", message);
  }
  const at = options.now().toISOString();
  await options.layers.put({
    provider: provider.id,
    layer,
    template: template.name,
    steps: plan.map(({ name }) => name),
    bytes,
    builtAt: at,
    usedAt: at,
  });
}
