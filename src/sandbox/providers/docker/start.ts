import { statSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { asCattlegridError, CattlegridError } from "../../../errors/error.ts";
import { HOME } from "../../guest/environment.ts";
import type { SandboxSpecification, StartHooks } from "../../provider.ts";
import { undo, type Attempt, type StartContext } from "./attempt.ts";
import type { Capture, CaptureContext } from "./capture/way.ts";
import { planContainer } from "./container-plan.ts";
import { gatherSources } from "./container-sources.ts";
import type { Engine } from "./engine.ts";
import { factsOf } from "./facts.ts";
import { writeGuestFiles } from "./guest-files.ts";
import { requireGrade } from "./isolation.ts";
import { requireLimits } from "./limits.ts";
import { DockerSandbox } from "./sandbox.ts";
import { checkStaged } from "./staged-check.ts";
import { listWorkspace, stageWorkspace, type PreparedWorkspace } from "./workspace-mounts.ts";

const TEMPORARY_BYTES_MAX = 2 * 2 ** 30;

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
  const containerId = await engine.createContainer(
    name,
    planContainer(gatherSources(context, attempt, files)),
    signal,
  );
  attempt.containerId = containerId;
  attempt.coming = context.ways.prepare(
    captureContext(context),
    { containerId, facts: context.engineFacts },
    signal,
  );
  await engine.startContainer(containerId, signal);
  const container = { id: containerId, reportedPid: await engine.findProcess(containerId) };
  if (context.idMaps !== undefined && workspace !== undefined) {
    checkStaged(container, specification, workspace.source);
  }
  workspace?.release();
  const capture = await attempt.coming.open(container);
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
    connect: (port) => capture.connect(port),
    died: Promise.race([
      watchForDeath(engine, containerId, watch.signal),
      ...(capture.lost === undefined ? [] : [capture.lost.then(explainLoss)]),
    ]),
    async dispose() {
      watch.abort();
      await undo(context, attempt);
    },
  });
}

function captureContext({
  engine,
  image,
  installation,
  runtimeDirectory,
}: StartContext): CaptureContext {
  return {
    engine,
    installation,
    runtimeDirectory,
    image: { name: image.name, id: image.facts.Id },
  };
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
