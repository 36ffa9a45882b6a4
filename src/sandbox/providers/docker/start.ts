import { realpathSync, rmSync, statSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { asCattlegridError, CattlegridError } from "../../../errors/error.ts";
import type { Logger } from "../../../platform/logger.ts";
import { HOME, sandboxEnvironment } from "../../guest/environment.ts";
import type { SandboxSpecification, StartHooks } from "../../provider.ts";
import { layerName, WORKSPACE, type Directories } from "../../storage/directories.ts";
import type { Capture, CapturedContainer } from "./capture-way.ts";
import { homeOverlay, planContainer, type OverlayPlan } from "./container-plan.ts";
import type { Engine, EngineFacts, ImageFacts } from "./engine.ts";
import { factsOf } from "./facts.ts";
import type { GuestAccount } from "./guest-account.ts";
import { writeGuestFiles, type GuestFile } from "./guest-files.ts";
import type { IdMaps } from "./id-maps.ts";
import { INSTALLATION_LABEL, SANDBOX_LABEL } from "./installation.ts";
import { requireGrade } from "./isolation.ts";
import { DockerSandbox } from "./sandbox.ts";
import { checkStaged } from "./staged-check.ts";
import { engineSeccomp } from "./system-calls.ts";
import { clearWorkDirectories } from "./work-directories.ts";
import { listWorkspace, stageWorkspace, type PreparedWorkspace } from "./workspace-mounts.ts";

const TEMPORARY_BYTES_MAX = 2 * 2 ** 30;
const REMOVAL_TRIES = 20;
const REMOVAL_PAUSE_MS = 500;

export interface StartContext {
  engine: Engine;
  engineFacts: EngineFacts;
  image: { name: string; facts: ImageFacts };
  installation: string;
  directories: Directories;
  /** Short-lived files of this provider. */
  runtimeDirectory: string;
  account: GuestAccount;
  /** As root: whose files appear as the agent's. */
  idMaps: IdMaps | undefined;
  logger: Logger;
  capture(container: CapturedContainer): Promise<Capture>;
}

/** What the way to a running sandbox has made so far, to be undone in reverse order. */
interface Attempt {
  specification: SandboxSpecification;
  directory: string;
  temporaryBytes: number;
  workspace?: PreparedWorkspace;
  containerId?: string;
  capture?: Capture;
}

export async function startSandbox(
  context: StartContext,
  specification: SandboxSpecification,
  parts: { hooks: StartHooks; signal: AbortSignal },
): Promise<DockerSandbox> {
  const { engineFacts, runtimeDirectory } = context;
  requireLimits(specification, engineFacts);
  requireGrade(specification.isolation ?? "container", engineFacts);
  const attempt: Attempt = {
    specification,
    directory: join(runtimeDirectory, specification.id),
    temporaryBytes: temporaryBytes(specification),
  };
  try {
    return await run(context, attempt, parts);
  } catch (error) {
    await undo(context, attempt);
    throw error;
  }
}

/** The container runs before the gateway has its sockets, and nothing runs in the container before that. */
async function run(
  context: StartContext,
  attempt: Attempt,
  { hooks, signal }: { hooks: StartHooks; signal: AbortSignal },
): Promise<DockerSandbox> {
  const { engine } = context;
  const { specification } = attempt;
  const files = await writeGuestFiles(
    join(attempt.directory, "etc"),
    specification,
    context.account,
  );
  const workspace = await prepareWorkspace(context, attempt);
  const name = `cattlegrid-${context.installation}-${specification.id}`;
  const containerId = await engine.createContainer(name, plan(context, attempt, files), signal);
  attempt.containerId = containerId;
  await engine.startContainer(containerId, signal);
  const container = { id: containerId, reportedPid: await engine.findProcess(containerId) };
  if (context.idMaps !== undefined && workspace !== undefined) {
    checkStaged(container, specification, workspace.source);
  }
  workspace?.release();
  const capture = await context.capture(container);
  attempt.capture = capture;
  offer(hooks, capture);
  signal.throwIfAborted();
  return runningSandbox(context, attempt, { containerId, capture });
}

function runningSandbox(
  context: StartContext,
  attempt: Attempt,
  { containerId, capture }: { containerId: string; capture: Capture },
): DockerSandbox {
  const { engine, account, image, engineFacts } = context;
  const { specification, temporaryBytes } = attempt;
  const watch = new AbortController();
  return new DockerSandbox({
    id: specification.id,
    facts: factsOf({
      specification,
      account,
      containerId,
      temporaryBytes,
      engine: engineFacts,
      image: { name: image.name, id: image.facts.Id },
      way: capture.way,
      unprotected: attempt.workspace?.unprotected ?? [],
    }),
    target: {
      engine,
      containerId,
      user: `${account.uid}:${account.gid}`,
      cwd: specification.workspace?.path ?? HOME,
    },
    connect: capture.connect?.bind(capture),
    died: watchForDeath(engine, containerId, watch.signal),
    async dispose() {
      watch.abort();
      await undo(context, attempt);
    },
  });
}

async function watchForDeath(engine: Engine, id: string, signal: AbortSignal): Promise<string> {
  try {
    const code = await engine.waitForEnd(id, signal);
    return `its first process ended with status ${code}`;
  } catch (error) {
    if (signal.aborted) return "it was stopped";
    return asCattlegridError(error).message;
  }
}

/** Throws LIMITS_UNAVAILABLE for a limit that this engine would only write down. */
function requireLimits({ limits }: SandboxSpecification, engine: EngineFacts): void {
  const isMissing =
    (limits.cpus !== undefined && engine.CpuCfsQuota !== true) ||
    (limits.memoryBytes !== undefined && engine.MemoryLimit !== true) ||
    (limits.pids !== undefined && engine.PidsLimit !== true);
  if (!isMissing) return;
  throw new CattlegridError("LIMITS_UNAVAILABLE", "The Docker engine cannot hold these limits.", {
    hint: "Leave out the limits, or give the engine control groups (`docker info` names what is missing).",
  });
}

function temporaryBytes({ limits }: SandboxSpecification): number {
  const quarter = (limits.memoryBytes ?? totalmem()) / 4;
  return Math.floor(Math.min(quarter, TEMPORARY_BYTES_MAX));
}

async function prepareWorkspace(
  { idMaps, runtimeDirectory }: StartContext,
  attempt: Attempt,
): Promise<PreparedWorkspace | undefined> {
  const { specification, directory } = attempt;
  const { workspace } = specification;
  if (workspace === undefined) return undefined;
  const voidFile = join(runtimeDirectory, "void");
  if (idMaps === undefined) attempt.workspace = listWorkspace(specification, workspace, voidFile);
  else {
    const found = statSync(workspace.source ?? workspace.path, { throwIfNoEntry: false });
    if (found === undefined) {
      throw new CattlegridError("WORKSPACE_MISSING", `${workspace.path} does not exist.`);
    }
    const staging = { directory: join(directory, "w"), voidFile, idMapFd: await idMaps.get(found) };
    attempt.workspace = stageWorkspace(specification, workspace, staging);
  }
  return attempt.workspace;
}

function plan(context: StartContext, attempt: Attempt, files: readonly GuestFile[]): object {
  const { specification, temporaryBytes } = attempt;
  const imageEnvironment = context.image.facts.Config?.Env ?? [];
  const toolchains = specification.toolchains.map((target) => ({
    target,
    source: realSource(target),
  }));
  const systemPath = imageEnvironment
    .find((each) => each.startsWith("PATH="))
    ?.slice(5)
    .split(":");
  const environment = sandboxEnvironment({
    specification,
    toolchainPath: toolchains.map(({ target }) => binOf(target)),
    shell: "/bin/sh",
    ...(systemPath === undefined ? {} : { systemPath }),
  });
  return planContainer({
    specification,
    files,
    toolchains,
    environment,
    temporaryBytes,
    image: context.image.facts.Id,
    account: context.account,
    labels: Object.fromEntries(
      labelsOf(context, specification).map((label) => label.split("=") as [string, string]),
    ),
    overlays: overlaysOf(context, attempt),
    workspace: specification.workspace?.mode === "overlay" ? [] : (attempt.workspace?.mounts ?? []),
    seccomp: engineSeccomp(),
  });
}

/** What marks everything of one sandbox. */
function labelsOf(
  { installation }: StartContext,
  { id }: SandboxSpecification,
): readonly [string, string] {
  return [`${INSTALLATION_LABEL}=${installation}`, `${SANDBOX_LABEL}=${id}`];
}

function overlaysOf(
  { directories, runtimeDirectory }: StartContext,
  { specification, workspace }: Attempt,
): readonly OverlayPlan[] {
  const directory = join(directories.sandboxes, specification.id);
  const layers = specification.homeLayers.map((id) => join(directories.layers, layerName(id)));
  const home = homeOverlay(directory, [...layers.toReversed(), join(runtimeDirectory, "empty")]);
  if (specification.workspace?.mode !== "overlay" || workspace === undefined) {
    return refuseSpecial([home]);
  }
  const own = join(directory, WORKSPACE);
  const over = {
    target: specification.workspace.path,
    lower: [workspace.source],
    upper: join(own, "upper"),
    work: join(own, "work"),
  };
  return refuseSpecial([home, over]);
}

/** The engine takes the options of a mount as one text, in which some characters have no way to be written. */
function refuseSpecial(overlays: readonly OverlayPlan[]): readonly OverlayPlan[] {
  const paths = overlays.flatMap(({ lower, upper, work }) => [...lower, upper, work]);
  const path = paths.find((each) => /[,:\\"\n]/.test(each));
  if (path === undefined) return overlays;
  const message = `Docker cannot lay an overlay over ${path}: a comma, colon, quote or backslash is in the way.`;
  throw new CattlegridError("FILE_SYSTEM_UNSUITABLE", message, {
    hint: "Use another directory, or --mode direct.",
  });
}

function realSource(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return realpathSync(path);
  throw new CattlegridError("REQUEST_INVALID", `The toolchain ${path} is not a directory.`, {
    hint: "Name an existing directory in `toolchains`, or remove it from the list.",
  });
}

/** What a toolchain puts on PATH: its `bin`, or itself when it holds programs directly. */
function binOf(path: string): string {
  const bin = join(path, "bin");
  return statSync(bin, { throwIfNoEntry: false })?.isDirectory() ? bin : path;
}

/** The sockets are the hook's once it has returned; until then they are ours to close. */
function offer(hooks: StartHooks, { sockets }: Capture): void {
  try {
    hooks.onCapture(sockets);
  } catch (error) {
    sockets.tcp.close();
    for (const socket of sockets.udp) socket.close();
    throw error;
  }
}

async function undo(context: StartContext, attempt: Attempt): Promise<void> {
  const { engine, logger } = context;
  const { specification, containerId, capture, workspace, directory } = attempt;
  try {
    await capture?.close();
    if (containerId !== undefined) {
      const isOurs = await remove(engine, containerId);
      // Whoever removes a container by hand leaves its volumes.
      if (!isOurs) await engine.removeUnusedVolumes(...labelsOf(context, specification));
      const { sandboxes } = context.directories;
      const work = { ...context, image: context.image.facts.Id };
      await clearWorkDirectories(work, join(sandboxes, specification.id));
    }
    workspace?.release();
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    logger.warn("a sandbox left something behind", {
      sandbox: specification.id,
      error: String(error),
    });
  }
}

/**
 * Resolves with whether it was we who removed it. An engine that is just being restarted comes back; one that does not
 * leaves its container to the next `reap`.
 */
async function remove(engine: Engine, containerId: string): Promise<boolean> {
  let isOurs = true;
  for (let left = REMOVAL_TRIES; ; left -= 1) {
    try {
      const became = await engine.removeContainer(containerId);
      isOurs &&= became === "removed";
      if (became !== "busy" || left === 0) return isOurs;
    } catch (error) {
      if (left === 0 || !CattlegridError.is(error, "PROVIDER_UNREACHABLE")) throw error;
    }
    await delay(REMOVAL_PAUSE_MS);
  }
}
