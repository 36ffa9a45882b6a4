import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { asCattlegridError, assert, CattlegridError } from "../../../errors/error.ts";
import { HOME } from "../../guest/environment.ts";
import type { SandboxSpecification, StartHooks } from "../../provider.ts";
import { labelsOf, undo, type Attempt, type StartContext } from "./attempt.ts";
import type { Capture, CaptureContext, CapturedContainer } from "./capture/way.ts";
import {
  overlayVolume,
  planContainer,
  planHolder,
  ROOT_USER,
  type ContainerSources,
} from "./container/container-plan.ts";
import { gatherSources } from "./container/container-sources.ts";
import { refuseRootless, type Engine } from "./engine/engine.ts";
import { factsOf } from "./facts.ts";
import { writeGuestFiles, type GuestFile } from "./container/guest-files.ts";
import type { ContainerFile } from "./images/images.ts";
import { runtimeOf } from "./container/isolation.ts";
import { requireLimits } from "./container/limits.ts";
import { findRootImage, withoutRootImage } from "./images/root-image.ts";
import { DockerSandbox } from "./sandbox.ts";
import { checkStaged } from "./container/staged-check.ts";
import {
  listWorkspace,
  stageWorkspace,
  type PreparedWorkspace,
} from "./container/workspace-mounts.ts";

const TEMPORARY_BYTES_MAX = 2 * 2 ** 30;

export async function startSandbox(
  context: StartContext,
  specification: SandboxSpecification,
  parts: { hooks: StartHooks; signal: AbortSignal },
): Promise<DockerSandbox> {
  const { engineFacts, runtimeDirectory } = context;
  refuseRootless(engineFacts);
  requireLimits(specification, engineFacts);
  const attempt: Attempt = {
    specification,
    root: findRootImage(specification, context.directories),
    runtime: runtimeOf(specification, engineFacts),
    directory: join(runtimeDirectory, specification.id),
    temporaryBytes: temporaryBytes(specification),
    volumes: new Map(),
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
  const etc = join(attempt.directory, "etc");
  const { account } = context;
  const files = await writeGuestFiles(etc, specification, { account, root: attempt.root });
  const [mounted, written] = placeFiles(files, specification);
  const workspace = await prepareWorkspace(context, attempt);
  const hold = (capture: Capture): void => offer(hooks, capture);
  if (attempt.runtime !== undefined) hold(await captureInHolder(context, attempt, signal));
  const name = nameOf(context, specification);
  const sources = gatherSources(context, attempt, mounted);
  if (sources.isPodman) await makeVolumes(engine, attempt, sources);
  const containerId = await create(context, { name, sources, signal });
  attempt.containerId = containerId;
  if (written.length > 0) await context.images.write(containerId, written);
  if (attempt.capture === undefined) prepareCapture(context, attempt, { containerId, signal });
  await engine.startContainer(containerId, signal);
  const container = { id: containerId, reportedPid: await engine.findProcess(containerId) };
  if (context.idMaps !== undefined && workspace !== undefined) {
    checkStaged(container, specification, workspace.source);
  }
  workspace?.release();
  if (attempt.capture === undefined) hold(await openCapture(attempt, container));
  signal.throwIfAborted();
  attempt.isBuilding = specification.hasRoot === true;
  return runningSandbox(context, attempt, { containerId, environment: sources.environment });
}

/** Of a lost image the engine says no more than its number. */
async function create(
  { engine }: StartContext,
  { name, sources, signal }: { name: string; sources: ContainerSources; signal: AbortSignal },
): Promise<string> {
  const { base } = sources.specification;
  try {
    return await engine.createContainer(name, planContainer(sources), signal);
  } catch (error) {
    if (base === undefined || !CattlegridError.is(error, "IMAGE_MISSING")) throw error;
    throw withoutRootImage(base.id);
  }
}

/** What the engine itself mounts, and so we over it. */
const ENGINE_MOUNTS = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];

/**
 * Which of our files are mounted, and which are written into the root file system: where packages are installed they make
 * accounts and trust stores anew, which no mount lets them do.
 */
function placeFiles(
  files: readonly GuestFile[],
  { hasRoot }: SandboxSpecification,
): [readonly GuestFile[], readonly ContainerFile[]] {
  if (hasRoot !== true) return [files, []];
  const isMounted = ({ target }: GuestFile): boolean => ENGINE_MOUNTS.includes(target);
  const written = files
    .filter((file) => !isMounted(file))
    .map(({ source, target }) => ({ path: target, content: readFileSync(source) }));
  return [files.filter(isMounted), written];
}

/** Podman makes no volume from what a container says of it. */
async function makeVolumes(
  engine: Engine,
  { specification, volumes }: Attempt,
  { overlays, labels }: ContainerSources,
): Promise<void> {
  for (const [index, overlay] of overlays.entries()) {
    const drawn = randomBytes(6).toString("hex");
    const name = `cattlegrid-${specification.id}-${index}-${drawn}`;
    await engine.createVolume({ Name: name, Labels: labels, ...overlayVolume(overlay) });
    volumes.set(overlay.target, name);
  }
}

/** The network is whole before the sandbox is there. */
async function captureInHolder(
  context: StartContext,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Capture> {
  const { engine, image } = context;
  const { specification } = attempt;
  const labels = labelsOf(context, specification);
  const wish = planHolder({ specification, image: image.facts.Id, labels });
  const name = `${nameOf(context, specification)}-network`;
  const id = await engine.createContainer(name, wish, signal);
  attempt.holderId = id;
  prepareCapture(context, attempt, { containerId: id, signal });
  await engine.startContainer(id, signal);
  return openCapture(attempt, { id, reportedPid: await engine.findProcess(id) });
}

function prepareCapture(
  { engine, engineFacts, image, runtimeDirectory, ways, ...context }: StartContext,
  attempt: Attempt,
  { containerId, signal }: { containerId: string; signal: AbortSignal },
): void {
  const place: CaptureContext = {
    engine,
    runtimeDirectory,
    image: { name: image.name, id: image.facts.Id },
    labels: labelsOf(context, attempt.specification),
  };
  attempt.coming = ways.prepare(place, { containerId, facts: engineFacts }, signal);
}

async function openCapture(attempt: Attempt, container: CapturedContainer): Promise<Capture> {
  assert(attempt.coming !== undefined, "no capture was prepared");
  attempt.capture = await attempt.coming.open(container);
  return attempt.capture;
}

function nameOf({ installation }: StartContext, { id }: SandboxSpecification): string {
  return `cattlegrid-${installation}-${id}`;
}

function runningSandbox(
  context: StartContext,
  attempt: Attempt,
  { containerId, environment }: { containerId: string; environment: Record<string, string> },
): DockerSandbox {
  const { capture, root } = attempt;
  assert(capture !== undefined, "nothing holds its connections");
  const { engine, account, image, engineFacts } = context;
  const { specification, temporaryBytes } = attempt;
  const watch = new AbortController();
  const gone = new AbortController();
  return new DockerSandbox({
    id: specification.id,
    facts: factsOf({
      specification,
      account,
      containerId,
      temporaryBytes,
      engine: engineFacts,
      runtime: attempt.runtime,
      image: { name: image.name, id: root?.image ?? image.facts.Id },
      way: capture.way,
      unprotected: attempt.workspace?.unprotected ?? [],
    }),
    target: {
      engine,
      containerId,
      user: `${account.uid}:${account.gid}`,
      ...(specification.hasRoot === true ? { rootUser: ROOT_USER, environment } : {}),
      cwd: specification.workspace?.path ?? HOME,
      gone: gone.signal,
    },
    connect: (port) => capture.connect(port),
    died: Promise.race([
      watchForDeath(engine, containerId, watch.signal),
      ...(capture.lost === undefined ? [] : [capture.lost.then(explainLoss)]),
    ]),
    async dispose() {
      watch.abort();
      await undo(context, attempt);
      gone.abort();
    },
  });
}

function explainLoss(why: string): string {
  return `the relay that held its connections is gone: ${why}`;
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
