import { join } from "node:path";
import { assert, CattlegridError } from "../../../errors/error.ts";
import { hasErrno } from "../../../platform/native/libc.ts";
import type { SandboxSpecification, StartHooks } from "../../provider.ts";
import { environmentOf, planLayout, type Attempt, type StartContext } from "./attempt.ts";
import {
  KEEPER_DIRECTORIES,
  ociConfiguration,
  processDefaults,
  rootProcess,
  type BundleSources,
  type ProcessDefaults,
} from "./bundle/bundle.ts";
import { makeCgroup, requireLimits, type Cgroup, type CgroupPlace } from "./cgroup.ts";
import { layerName, openWorkDirectories } from "../../storage/directories.ts";
import { AGENT_ID, HOME } from "../../guest/environment.ts";
import { findBaseRoot, giveTree } from "./base-root.ts";
import { RANGED_IDS } from "./bundle/id-map.ts";
import { writeOwnEtc } from "./bundle/etc.ts";
import { factsOf } from "./facts.ts";
import { resourceBounds } from "./host-facts.ts";
import type { OpenedSandbox } from "./keeper.ts";
import { explainOverlay } from "./refusal.ts";
import { guard, takeOver } from "./taking-over.ts";
import { runContainer } from "./runtimes/runtime.ts";
import { prepareWay } from "./runtimes/way.ts";
import {
  emptyHomeLayer,
  etcLayers,
  makeSandboxFiles,
  removeSandboxFiles,
  usrLayers,
} from "./runtimes/runtime-files.ts";
import { LocalSandbox } from "./sandbox.ts";

const NEVER = (): Promise<never> => new Promise(() => undefined);

export async function startSandbox(
  context: StartContext,
  specification: SandboxSpecification,
  hooks: StartHooks,
): Promise<LocalSandbox> {
  const { machine, launched, cgroups } = context;
  requireLimits(specification.limits, cgroups);
  const layout = await planLayout(context, specification);
  const number = launched.keeper.nextSandbox();
  const root = findBaseRoot(specification, context.directories, number);
  const etc = await etcLayers(launched.files, specification.certificates, root);
  const attempt: Attempt = {
    number,
    specification,
    layout,
    root,
    bounds: resourceBounds(specification.limits, machine.memoryBytes),
    files: makeSandboxFiles(launched.files, number),
    cgroup: limited(specification) ? cgroupFor(cgroups, specification) : undefined,
  };
  try {
    return await run(context, attempt, { hooks, etc });
  } catch (error) {
    await undo(context, attempt);
    const path = specification.workspace?.path;
    throw path === undefined ? error : explainOverlay(error, path);
  }
}

function limited({ limits }: SandboxSpecification): boolean {
  return limits.cpus !== undefined || limits.memoryBytes !== undefined;
}

function cgroupFor(
  place: CgroupPlace | undefined,
  { id, limits }: SandboxSpecification,
): Cgroup | undefined {
  return place === undefined ? undefined : makeCgroup(place, id, limits);
}

async function run(
  context: StartContext,
  attempt: Attempt,
  parts: { hooks: StartHooks; etc: readonly string[] },
): Promise<LocalSandbox> {
  const { launched, runtime } = context;
  const { specification, files, number, bounds } = attempt;
  const { keeper, launcher, program } = launched;
  writeOwnEtc(join(files.directory, "etc"), specification);
  if (specification.hasRoot === true) giveTree(join(files.directory, "etc"), launched.files.owner);
  const cwd = specification.workspace?.path ?? HOME;
  const defaults = processDefaults(environmentOf(context, attempt), cwd, bounds);
  const containerId = `sandbox-${number}`;
  const etcBelow = [`${files.insideKeeper}/etc`, ...parts.etc];
  const opened = await open(context, attempt);
  offer(parts.hooks, opened);
  const configuration = configure({ context, attempt, opened, defaults, etcLayers: etcBelow });
  const { networkFd } = opened;
  const way = await prepareWay(context, { ...attempt, networkFd, configuration });
  const client = { launcher, program, runtime, containerId, stateRoot: way.stateRoot };
  const container = await runContainer({ ...way, ...client, enter: way.enterToRun, files });
  if (specification.hasRoot !== true) launched.seccomp.keep(way.stateRoot, containerId);
  // The keeper answers in the order of the requests, so closing the sandbox cannot overtake this one.
  const adopted = keeper.adopt(number, container.pid);
  guard(context, attempt, opened.unprotected);
  return new LocalSandbox({
    id: specification.id,
    facts: () =>
      factsOf({
        ...context,
        canLimit: context.cgroups !== undefined,
        specification: attempt.specification,
        bounds,
        hasCgroup: attempt.cgroup !== undefined,
        unprotected: attempt.protection?.unprotected ?? opened.unprotected,
      }),
    target: {
      ...client,
      enter: way.enter,
      scratchDirectory: files.directory,
      process: defaults,
      ...(specification.hasRoot === true ? { rootProcess: rootProcess(defaults) } : {}),
      cwd,
    },
    takeOver: (wanted) => takeOver(context, attempt, wanted),
    connect: (port) => keeper.connect(number, port),
    died: Promise.race([
      container.died.then(() => "its first process ended"),
      keeper.ended.then((why) => `the keeper ended: ${why}`),
      adopted.then(NEVER, (error: unknown) => `the keeper lost it: ${String(error)}`),
    ]),
    dispose: () => undo(context, attempt),
  });
}

function configure(parts: {
  context: StartContext;
  attempt: Attempt;
  opened: OpenedSandbox;
  defaults: ProcessDefaults;
  etcLayers: readonly string[];
}): object {
  const { specification, number, layout, bounds } = parts.attempt;
  const { seccomp } = parts.context.launched;
  return ociConfiguration({
    sandbox: number,
    stateDirectory: `${KEEPER_DIRECTORIES.sandboxes}/${specification.id}`,
    hostname: specification.name,
    layout,
    treeMounts: parts.opened.mounts,
    process: parts.defaults,
    bounds,
    networkFd: parts.opened.networkFd,
    binds: parts.context.runtime.binds,
    idMappings: idMappings(parts.context, specification),
    usrLayers: usrLayers(),
    etcLayers: parts.etcLayers,
    homeLayers: homeLayers(specification),
    ...(specification.base && { base: { hasRoot: specification.hasRoot === true } }),
    seccomp:
      specification.hasRoot === true ? seccomp.configurationToInstall() : seccomp.configuration(),
  });
}

async function open({ launched }: StartContext, attempt: Attempt): Promise<OpenedSandbox> {
  const { layout, number, specification, root } = attempt;
  const writable = `${KEEPER_DIRECTORIES.sandboxes}/${specification.id}/root`;
  try {
    return await launched.keeper.open({
      sandbox: number,
      directories: layout.directories,
      links: layout.links,
      trees: layout.trees,
      ...(root && { root: { lower: root.parts.map(({ inside }) => inside), writable } }),
    });
  } catch (error) {
    const path = specification.workspace?.path;
    if (path === undefined || !hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP")) throw error;
    throw new CattlegridError("WORKSPACE_MISSING", `${path} cannot be laid into the sandbox.`, {
      cause: error,
    });
  }
}

/** The sockets are the hook's once it has returned; until then they are ours to close. */
function offer(hooks: StartHooks, { sockets }: OpenedSandbox): void {
  try {
    hooks.onCapture(sockets);
  } catch (error) {
    sockets.tcp.close();
    for (const socket of sockets.udp) socket.close();
    throw error;
  }
}

/** SECURITY: the only id inside that stands for one of ours is the agent's; as root, none stands for host root. */
function idMappings(
  { machine, runtime }: StartContext,
  { base }: SandboxSpecification,
): BundleSources["idMappings"] {
  const { isRoot, subordinate } = machine;
  if (isRoot) {
    assert(subordinate.first > 0, "a sandbox must not contain the host's root");
    return [{ containerID: 0, hostID: subordinate.first, size: subordinate.count }];
  }
  if (base !== undefined && runtime.needsRange) return RANGED_IDS;
  const agent = { containerID: AGENT_ID, hostID: 0, size: 1 };
  // The first of the user's subordinate ids, to whom nothing belongs.
  return runtime.needsRange ? [{ containerID: 0, hostID: 1, size: 1 }, agent] : [agent];
}

/** Highest first, as overlay wants them; the specification has the lowest first. */
function homeLayers({ homeLayers: ids }: SandboxSpecification): readonly string[] {
  const layers = ids.map((id) => `${KEEPER_DIRECTORIES.layers}/${layerName(id)}`);
  return [...layers.toReversed(), emptyHomeLayer()];
}

async function undo(context: StartContext, attempt: Attempt): Promise<void> {
  try {
    await dispose(context, attempt);
  } catch (error) {
    const sandbox = attempt.specification.id;
    context.logger.warn("a sandbox left something behind", { sandbox, error: String(error) });
  }
}

async function dispose({ launched, directories }: StartContext, attempt: Attempt): Promise<void> {
  attempt.protection?.close();
  await launched.keeper.close(attempt.number);
  openWorkDirectories(join(directories.sandboxes, attempt.specification.id));
  await removeSandboxFiles(attempt.files);
  attempt.cgroup?.remove();
}
