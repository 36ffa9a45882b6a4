import {
  CHECKSUM_MISMATCH,
  type AgentAdapter,
  type AgentInstallation,
  type CommandResult,
} from "../agent/agent.ts";
import type { AgentRegistry } from "../agent/registry.ts";
import { CattlegridError } from "../errors/error.ts";
import { checkDiskSpace } from "../platform/disk.ts";
import { describeLibc } from "../platform/libc.ts";
import type { Logger } from "../platform/logger.ts";
import type { StartEvent } from "../protocol/sandbox.ts";
import type { RunningSandbox } from "../sandbox/provider.ts";
import { findAgent } from "../sandbox/registry.ts";
import type { StartWork } from "../sandbox/shared-start.ts";
import type { LayersContext, LayersFor } from "../sandbox/starting.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "../sandbox/throw-away.ts";
import { runCommand } from "./command.ts";
import { findLayer, layerName, recipeOf, type LayerKey } from "./layer-key.ts";
import { createSharedWork } from "./shared-work.ts";

const INSTALL_TIMEOUT_MS = 15 * 60 * 1000;
const REFUSALS_SHOWN_MAX = 20;
const PROGRESS_EVERY_MS = 1000;

export interface InstallationOptions {
  agents: AgentRegistry;
  createThrowAway(options: ThrowAwayOptions): Promise<ThrowAwaySandbox>;
  /** Its disk is where layers come to lie. */
  stateDirectory: string;
  logger: Logger;
}

type InstallableAgent = AgentAdapter & { install: AgentInstallation };

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
    const present = findLayer(key, await provider.layers.list());
    if (present !== undefined) return [present];
    const name = JSON.stringify([provider.id, key]);
    const work: StartWork = (signal, report) =>
      install(options, { agent, key, context, signal, report });
    await installations.run(name, work, context);
    const made = findLayer(key, await provider.layers.list());
    if (made !== undefined) return [made];
    throw new CattlegridError("INTERNAL", `The layer of ${agent.id} vanished after it was made.`);
  };
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

function isInstallable(agent: AgentAdapter): agent is InstallableAgent {
  return agent.install !== undefined;
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
    await checkNeeds(box.running, agent, signal);
    const version = await runInstaller(box, work);
    await makeQuiet(box.running, work);
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

/** SECURITY: a constant text; the names arrive as arguments and never as text of the script. */
const LIST_MISSING = 'for name in "$@"; do command -v -- "$name" >/dev/null || echo "$name"; done';

async function checkNeeds(
  running: RunningSandbox,
  { install: { needs }, title }: InstallableAgent,
  signal: AbortSignal,
): Promise<void> {
  const argv = ["sh", "-c", LIST_MISSING, "needs", ...needs];
  const { stdout } = await runCommand(running, { request: { argv }, signal });
  const missing = stdout.split("\n").filter((name) => name !== "");
  if (missing.length === 0) return;
  const message = `Installing ${title} needs ${missing.join(", ")}, which this machine does not have.`;
  throw new CattlegridError("DEPENDENCY_MISSING", message, {
    hint: `Install it: \`sudo apt-get install ${missing.join(" ")}\`.`,
    details: { missing },
  });
}

/** Returns the version that was installed, which only the installed program itself can prove. */
async function runInstaller(box: ThrowAwaySandbox, work: InstallationWork): Promise<string> {
  const { agent, key, signal, report } = work;
  const { script, check, readVersion } = agent.install;
  const decoder = new TextDecoder();
  using _progress = reportProgress(box, report);
  const checksum = work.context.agentChecksum?.replace(/^sha256:/, "");
  const installed = await runCommand(box.running, {
    request: { argv: ["bash", "-c", script, "install", key.version ?? "", checksum ?? ""] },
    signal,
    onOutput: (bytes) =>
      report({ type: "install-delta", text: decoder.decode(bytes, { stream: true }) }),
  });
  if (checksum !== undefined && installed.exitCode === CHECKSUM_MISMATCH) {
    const message = `What ${agent.title}'s installer fetched is not the file that the template names.`;
    const details = { wanted: checksum, output: joinOutput(installed) };
    throw new CattlegridError("AGENT_CHECKSUM_MISMATCH", message, { details });
  }
  const checked = await runCommand(box.running, { request: { argv: check }, signal });
  const version = readVersion(checked);
  if (version !== undefined && (key.version ?? version) === version) return version;
  const told = version === undefined ? "does not tell its version" : `is version ${version}`;
  const message = `${agent.title} did not install: the installed program ${told}.`;
  throw new CattlegridError("AGENT_INSTALL_FAILED", message, {
    details: {
      installerExitCode: installed.exitCode,
      output: joinOutput(installed),
      check: joinOutput(checked),
      refused: await listRefusals(box),
    },
  });
}

/** Tells while the installer runs how much has come in, each time it is more. */
function reportProgress(box: ThrowAwaySandbox, report: (event: StartEvent) => void): Disposable {
  let told = 0;
  const tell = (): void => {
    const receivedBytes = box.receivedBytes();
    if (receivedBytes > told) report({ type: "install-progress", receivedBytes });
    told = receivedBytes;
  };
  const timer = setInterval(tell, PROGRESS_EVERY_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      tell();
    },
  };
}

function joinOutput({ stdout, stderr }: CommandResult): string {
  return [stdout, stderr].filter((text) => text !== "").join("\n");
}

/** A host that was refused is the usual reason, and the installer rarely names it. */
async function listRefusals(box: ThrowAwaySandbox): Promise<readonly string[]> {
  const decisions = await box.decisions();
  return decisions.filter((text) => text.includes('"deny"')).slice(-REFUSALS_SHOWN_MAX);
}

/** A setting that this version of the agent does not know is no reason to do without the agent. */
async function makeQuiet(running: RunningSandbox, work: InstallationWork): Promise<void> {
  for (const argv of work.agent.install.settings) {
    const result = await runCommand(running, { request: { argv }, signal: work.signal });
    if (result.exitCode === 0) continue;
    const text = `${argv.join(" ")}: ${joinOutput(result).trim()} (passed over)\n`;
    work.report({ type: "install-delta", text });
  }
}
