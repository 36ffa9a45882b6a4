import type { AgentRegistry } from "../../agent/registry.ts";
import { CattlegridError } from "../../errors/error.ts";
import { checkDiskSpace } from "../../platform/disk.ts";
import { describeLibc } from "../../platform/libc.ts";
import type { Logger } from "../../platform/logger.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { LayerUse } from "../../sandbox/upkeep/layer-use.ts";
import { findAgent } from "../../sandbox/registry.ts";
import type { StartWork } from "../../sandbox/life/shared-start.ts";
import type { LayersContext, LayersFor } from "../../sandbox/life/starting.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "../../sandbox/life/throw-away.ts";
import { isInstallable, runInstallation, type InstallableAgent } from "./installer-run.ts";
import { findLayer, layerName, recipeOf, type LayerKey } from "./layer-key.ts";
import { createSharedWork } from "../shared-work.ts";

const INSTALL_TIMEOUT_MS = 15 * 60 * 1000;

export interface InstallationOptions {
  agents: AgentRegistry;
  createThrowAway(options: ThrowAwayOptions): Promise<ThrowAwaySandbox>;
  use: LayerUse;
  /** Its disk is where layers come to lie. */
  stateDirectory: string;
  logger: Logger;
}

/**
 * Finds the layer of an agent, or installs the agent and keeps the home that came of it as the layer. Whoever asks
 * meanwhile waits for the same installation. Throws DISK_FULL, DEPENDENCY_MISSING, AGENT_INSTALL_FAILED, TIMED_OUT.
 */
export function createInstallation(options: InstallationOptions): LayersFor {
  const installations = createSharedWork();
  return async (agentId, context) => {
    const agent = findAgent(options.agents, agentId);
    if (!isInstallable(agent)) return [];
    const { provider } = context;
    const key = await keyOf(agent, context);
    const choose = async (): Promise<string | undefined> => {
      const layer = findLayer(key, options.use.without(provider.id, await provider.layers.list()));
      if (layer !== undefined) context.pins?.use(options.use.pin(provider.id, [layer]));
      return layer;
    };
    const present = await choose();
    if (present !== undefined) return [present];
    const name = JSON.stringify([provider.id, key]);
    const work: StartWork = (signal, report) =>
      install(options, { agent, key, context, signal, report });
    await installations.run(name, work, context);
    const made = await choose();
    if (made !== undefined) return [made];
    throw new CattlegridError("INTERNAL", `The layer of ${agent.id} vanished after it was made.`);
  };
}

/** The layers of an agent that are there; undefined when it would have to be installed. */
export async function findInstalled(
  { agents, use }: Pick<InstallationOptions, "agents" | "use">,
  agentId: string,
  place: KeyPlace,
): Promise<readonly string[] | undefined> {
  const agent = findAgent(agents, agentId);
  if (!isInstallable(agent)) return [];
  const { id, layers } = place.provider;
  const layer = findLayer(await keyOf(agent, place), use.without(id, await layers.list()));
  return layer === undefined ? undefined : [layer];
}

type KeyPlace = Pick<
  LayersContext,
  "provider" | "mirrors" | "agentVersion" | "agentChecksum" | "base" | "signal"
>;

async function keyOf(
  { id, install }: InstallableAgent,
  { provider, mirrors, agentVersion, agentChecksum, base, signal }: KeyPlace,
): Promise<LayerKey> {
  const version = agentVersion ?? install.version;
  return {
    agent: id,
    ...(version === undefined ? {} : { version }),
    recipe: recipeOf(install, agentChecksum),
    userland: base?.id ?? (await provider.layers.userland?.(signal)) ?? describeLibc(),
    mirrored: mirrors !== null,
  };
}

interface InstallationWork {
  agent: InstallableAgent;
  key: LayerKey;
  context: LayersContext;
  signal: AbortSignal;
  report(event: StartEvent): void;
}

async function install(options: InstallationOptions, work: InstallationWork): Promise<void> {
  const { agent, context, report } = work;
  const timeoutMs = context.installTimeoutMs ?? INSTALL_TIMEOUT_MS;
  await checkDiskSpace(options.stateDirectory, agent.install.diskBytes);
  const text = `Installing ${agent.title} in a sandbox of its own.`;
  report({ type: "install-start", agent: agent.id, text });
  const deadline = AbortSignal.timeout(timeoutMs);
  const log: string[] = [];
  try {
    await installInThrowAway(options, {
      ...work,
      signal: AbortSignal.any([work.signal, deadline]),
      report(event) {
        if (event.type === "install-delta") log.push(event.text);
        report(event);
      },
    });
  } catch (error) {
    if (!deadline.aborted || work.signal.aborted) throw error;
    const message = `Installing ${agent.title} took longer than ${Math.round(timeoutMs / 1000)} seconds.`;
    throw new CattlegridError("TIMED_OUT", message, { details: { output: log.join("") } });
  }
}

async function installInThrowAway(
  options: InstallationOptions,
  work: InstallationWork,
): Promise<void> {
  const { agent, key, context, signal, report } = work;
  const { provider, isolation, mirrors, base } = context;
  const wanted = { agent, provider, mirrors, signal, ...(base && { base }) };
  const box = await options.createThrowAway({ ...wanted, ...(isolation && { isolation }) });
  try {
    const version = await runInstallation(box, {
      ...work,
      version: key.version,
      checksum: context.agentChecksum,
      hasOwnUserland: base !== undefined || provider.declared.userland === "own",
    });
    // From here on nothing may be cut short: sealing is atomic and takes no signal.
    signal.throwIfAborted();
    const layer = layerName(key, version);
    await box.seal(layer);
    options.logger.info("agent installed", { agent: agent.id, version, layer });
    report({ type: "install-end", agent: agent.id, version, layer });
  } finally {
    await box.remove();
  }
}
