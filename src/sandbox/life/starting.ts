import type { AgentAdapter } from "../../agent/agent.ts";
import type { AgentRegistry } from "../../agent/registry.ts";
import type { SandboxStart } from "../../protocol/sandbox.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import { CattlegridError } from "../../errors/error.ts";
import { checkDiskSpace } from "../../platform/disk.ts";
import type { SandboxRow, StoredSpecification } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { createDirectoryReader } from "../../workspace/directory-reader.ts";
import { withoutLifted } from "../../workspace/created-paths.ts";
import { findSpecialFiles } from "../../workspace/special-files.ts";
import { findProtectedPaths } from "../../workspace/protected-paths.ts";
import { resolveWorkspace, type WorkspaceSurroundings } from "../../workspace/workspace.ts";
import {
  compileConfiguration,
  placeConfiguration,
  type SandboxConfiguration,
} from "../configuration/agent-configuration.ts";
import { recordPlaced } from "../configuration/configuring.ts";
import { describeGate } from "../egress/gate-request.ts";
import type { Clones } from "../workspace/clones.ts";
import type { Gates } from "../egress/gates.ts";
import { launch, type Launch, type LaunchedSandbox } from "./launch.ts";
import type { StartContext } from "./lifecycle.ts";
import { prepareBase } from "../making/base.ts";
import type { LayerUse } from "../upkeep/layer-use.ts";
import type { RunningSandbox, SandboxBase, SandboxProvider } from "../provider.ts";
import { findAgent, providerOf } from "../registry.ts";
import { toSpecification } from "../making/specification.ts";
import { keepLaterAnswers, renewParameters } from "../making/template-parameters.ts";
import { checkToolchain } from "../making/toolchains.ts";
import type { WarmPools } from "../warm/pools.ts";

/** A sandbox needs at least this for its directories and records. */
const DISK_BYTES = 32 * 1024 * 1024;

export interface LayersContext {
  owner: string;
  provider: SandboxProvider;
  isolation?: StoredSpecification["isolation"];
  /** The redirections in force for the start that needs the layers. */
  mirrors: NonNullable<SandboxStart["mirrors"]> | null;
  installTimeoutMs?: number;
  /** The root file system that all of them are made for; absent: the provider's own. */
  base?: SandboxBase;
  /** What it stood on at its last start: as long as that is there, it stands on it again. */
  present?: readonly string[];
  /** Keep what was chosen from being removed, until the sandbox's row says that it uses it. */
  pins?: DisposableStack;
  /** The version of the agent that the sandbox was created for. Absent: the one its adapter names, or the newest. */
  agentVersion?: string;
  /** Of the file that the agent's installer fetches: `sha256:…`. */
  agentChecksum?: string;
  /** What the sandbox was made from. */
  template?: ResolvedTemplate;
  signal: AbortSignal;
  onEvent(event: StartEvent): void;
}

/** The ids of the layers an agent's home stands on, lowest first; makes what is missing. */
export type LayersFor = (agentId: string, context: LayersContext) => Promise<readonly string[]>;

export interface InsideContext {
  installTimeoutMs?: number | undefined;
  /** As for a layer. */
  agentVersion?: string | undefined;
  /** What the sandbox was made from. */
  template?: ResolvedTemplate | undefined;
  signal: AbortSignal;
  report(event: StartEvent): void;
}

/** Makes sure that an agent is installed, and a template's setup done, in a running sandbox whose home stands on no layer. */
export type InstallInside = (
  agent: AgentAdapter,
  running: RunningSandbox,
  context: InsideContext,
) => Promise<void>;

export interface StartingOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  agents: AgentRegistry;
  gates: Gates;
  layersFor: LayersFor;
  layerUse: LayerUse;
  installInside: InstallInside;
  surroundings: WorkspaceSurroundings;
  now(): Date;
  clones: Pick<Clones, "prepare">;
}

/** Everything between the wish to start a stored sandbox and its running behind a gateway. */
export async function startStored(
  options: StartingOptions & { warm: Pick<WarmPools, "claim"> },
  stored: SandboxRow,
  context: StartContext,
): Promise<LaunchedSandbox> {
  using pins = new DisposableStack();
  const planned = await planStart(options, stored, { ...context, pins });
  const claimed = await options.warm.claim(planned, context.report);
  const launched = claimed ?? (await launch(planned));
  if (!planned.provider.declared.layers) await install(options, planned, { launched, context });
  return await place(options, planned, launched);
}

/** Where homes stand on no layers, each has its agent installed in it, and its template's setup done. */
async function install(
  { installInside }: StartingOptions,
  { agent, row, provider }: PlannedStart,
  { launched, context }: { launched: LaunchedSandbox; context: StartContext },
): Promise<void> {
  const { agentVersion, template } = row.specification;
  const { installTimeoutMs } = context.request;
  const wanted = { ...context, installTimeoutMs, agentVersion, template };
  try {
    await orEnd(launched, () => installInside(agent, launched.running, wanted));
  } catch (error) {
    // What was half done would be in the way of the next start; of anybody's there is nothing yet.
    if (row.startedAt === undefined) await provider.destroy(row.id);
    throw error;
  }
}

/** What a template says to the agent is part of the environment, and of the home before anything of the agent's runs. */
export interface PlannedStart extends Launch {
  agent: AgentAdapter;
  row: SandboxRow;
  configuration?: SandboxConfiguration;
}

/** The same up to the moment at which something starts; what it chose stays until `pins` go. */
export async function planStart(
  options: StartingOptions,
  stored: SandboxRow,
  context: StartContext & { pins: DisposableStack },
): Promise<PlannedStart> {
  const { store, gates, surroundings } = options;
  const row = { ...stored, specification: await renewParameters(options, stored) };
  const { request, signal, pins } = context;
  const agent = findAgent(options.agents, row.agent);
  const provider = providerOf(options.providers, row);
  const mirrors = request.mirrors ?? row.specification.mirrors;
  await checkDiskSpace(surroundings.stateDirectory, DISK_BYTES);
  const { protectedPaths, maskedPaths } = await look(row, surroundings, context);
  const { toolchains, workspace } = row.specification;
  for (const path of toolchains) await checkToolchain(path, surroundings, workspace?.path);
  const changes = await store.policyChanges.list(row.id);
  const gate = gates.prepare(
    describeGate(row, { agent, changes, mirrors, isLearning: request.learn === true }),
  );
  const specification = await standOnLayers(options, row, {
    provider,
    mirrors,
    protectedPaths,
    stored,
    context,
    pins,
  });
  const { layers } = specification;
  const source =
    workspace?.mode === "clone" ? await options.clones.prepare(row, provider, context) : undefined;
  const certificates = gate.certificates;
  const parts = { protectedPaths, maskedPaths, layers, certificates, ...(source && { source }) };
  const kept = { ...row, specification };
  const configuration = compileConfiguration(kept, agent);
  const environment = configuration?.compiled.environment;
  return {
    provider,
    gate,
    signal,
    agent,
    row: kept,
    ...(configuration && { configuration }),
    specification: toSpecification(kept, agent, { ...parts, ...(environment && { environment }) }),
  };
}

/** Nothing of an agent's runs before what the template says is in place; without it, nothing does. */
async function place(
  { store }: StartingOptions,
  { row, agent, signal, ...planned }: PlannedStart,
  launched: LaunchedSandbox,
): Promise<LaunchedSandbox> {
  const { home } = launched.running;
  const configuration =
    home === undefined ? planned.configuration : compileConfiguration(row, agent, { home });
  if (configuration === undefined) return launched;
  await orEnd(launched, async () => {
    await placeConfiguration({ running: launched.running, row, signal }, configuration);
    await recordPlaced(store, row.id, configuration.files);
  });
  return launched;
}

/** What fails before anybody has the sandbox ends it. */
async function orEnd(launched: LaunchedSandbox, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    await launched.running.stop();
    await launched.gate.close();
    throw error;
  }
}

interface Standing {
  provider: SandboxProvider;
  mirrors: LayersContext["mirrors"];
  protectedPaths: readonly string[];
  /** As it was before its parameters were renewed. */
  stored: SandboxRow;
  context: StartContext;
  pins: DisposableStack;
}

/** Finds or makes what its root file system and its home stand on, and writes that down; until then, `pins` keep it. */
async function standOnLayers(
  options: StartingOptions,
  row: SandboxRow,
  { provider, mirrors, protectedPaths, stored, context, pins }: Standing,
): Promise<StoredSpecification> {
  const { agentVersion, template, isolation, layers: present } = row.specification;
  const { request, signal, report } = context;
  const { installTimeoutMs } = request;
  const keeping = { use: options.layerUse, layers: options.store.layers, now: options.now };
  const base =
    row.specification.base ?? (await prepareBase(keeping, { template, provider, signal, pins }));
  const wanted = {
    owner: row.owner,
    provider,
    isolation,
    mirrors,
    pins,
    present,
    ...(base && { base }),
    ...(installTimeoutMs === undefined ? {} : { installTimeoutMs }),
    ...(agentVersion === undefined ? {} : { agentVersion }),
    ...(template === undefined ? {} : { template }),
    signal,
    onEvent: report,
  };
  const layers = provider.declared.layers ? await options.layersFor(row.agent, wanted) : [];
  const changed = { mirrors, protectedPaths, layers, ...(base && { base }) };
  const answered = await keepLaterAnswers(options.store, stored, row.specification);
  const specification = { ...answered, ...changed };
  await options.store.sandboxes.update(row.id, { specification });
  return specification;
}

/** The workspace may have gone, or become something else, since the sandbox was made. */
async function look(
  row: SandboxRow,
  surroundings: WorkspaceSurroundings,
  { signal, report }: StartContext,
): Promise<{ protectedPaths: readonly string[]; maskedPaths: readonly string[] }> {
  const { workspace, unprotected = [] } = row.specification;
  const nothing = { protectedPaths: [], maskedPaths: [] };
  if (workspace === null) return nothing;
  const real = await resolveWorkspace(workspace.path, surroundings);
  if (real !== workspace.path) {
    const message = `The workspace ${workspace.path} now leads to ${real} by a link.`;
    throw new CattlegridError("WORKSPACE_MISSING", message);
  }
  if (workspace.mode !== "direct" && workspace.mode !== "readonly") return nothing;
  const { path } = workspace;
  const [found, special] = await Promise.all([
    workspace.mode === "direct" ? findProtectedPaths(path, createDirectoryReader()) : [],
    findSpecialFiles(path, signal),
  ]);
  if (!special.isComplete) {
    report({ type: "notice", text: `${path} holds more sockets and pipes than can be masked.` });
  }
  const kept = withoutLifted(found, path, unprotected);
  return { protectedPaths: kept.map((each) => each.path), maskedPaths: special.paths };
}
