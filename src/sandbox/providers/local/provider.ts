import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import { SILENT_LOGGER, type Logger } from "../../../platform/logger.ts";
import { removeTree } from "../../../platform/tree-removal.ts";
import type {
  PresentCapabilities,
  Probe,
  RunningSandbox,
  SandboxBases,
  SandboxLayers,
  SandboxOverlays,
  SandboxProvider,
  SandboxSpecification,
  StartHooks,
} from "../../provider.ts";
import { createBases } from "./bases.ts";
import { LOCAL_CAPABILITIES } from "./capabilities.ts";
import { findCgroupPlace, removeCgroups } from "./cgroup.ts";
import {
  checkId,
  explainDiskError,
  fixSubordinateRange,
  isDirectory,
  makeSandboxDirectories,
  makeWorkspaceDirectories,
  modeOf,
  openDirectories,
  discardTree,
  type Directories,
  type Owner,
} from "../../storage/directories.ts";
import { AGENT_ID } from "../../guest/environment.ts";
import { createLayers } from "../../storage/layers.ts";
import { inspectMachine, type Machine } from "./machine.ts";
import { probeMachine } from "./probe.ts";
import { createOverlays } from "../../storage/overlays.ts";
import { Residence, type ResidenceOptions } from "./residence.ts";
import { findContainerRuntimes, requireSentry, type NamedPrograms } from "./runtimes/choice.ts";
import { startSandbox } from "./start.ts";
import { tryRuntime } from "./trial.ts";

export interface LocalProviderOptions {
  /** Homes and layers; on a disk that can hold overlays. One provider at a time uses it. */
  stateDirectory: string;
  /** Short-lived files and sockets; only this user may enter it. */
  runtimeDirectory: string;
  /** Programs of runtimes. Default: those of their names where programs of the system are. */
  programs?: NamedPrograms;
  logger?: Logger;
}

/** The provider that isolates with this machine's own namespaces. */
export function createLocalProvider(options: LocalProviderOptions): SandboxProvider {
  return new LocalProvider(options);
}

const TRIAL_TIMEOUT_MS = 60_000;

type Grade = "namespaces" | "gvisor";

interface Host {
  machine: Machine;
  directories: Directories;
}

class LocalProvider implements SandboxProvider {
  readonly id = "local";
  readonly declared = LOCAL_CAPABILITIES;
  readonly layers: SandboxLayers;
  readonly overlays: SandboxOverlays;
  readonly bases: SandboxBases;
  readonly #options: LocalProviderOptions;
  readonly #logger: Logger;
  readonly #residences: Readonly<Record<Grade, Residence>>;
  readonly #running = new Map<string, RunningSandbox>();
  readonly #starting = new Set<string>();
  #host: Host | undefined;

  constructor(options: LocalProviderOptions) {
    this.#options = options;
    this.#logger = options.logger ?? SILENT_LOGGER;
    const host = (): ReturnType<ResidenceOptions["host"]> => ({
      ...this.#open(),
      owner: rootOwner(this.#open().machine),
    });
    const { runtimeDirectory, programs = {} } = options;
    this.#residences = {
      namespaces: new Residence({
        runtimeDirectory,
        host,
        find: () => findContainerRuntimes(this.#open().machine, programs),
      }),
      gvisor: new Residence({
        runtimeDirectory: join(runtimeDirectory, "gvisor"),
        host,
        find: () => [requireSentry(this.#open().machine, programs.runsc)],
      }),
    };
    this.layers = createLayers({
      directories: () => this.#open().directories,
      makeDirectories: (path) => makeSandboxDirectories(path, agentOwner(this.#open().machine)),
      isRunning: (sandboxId) => this.#isBusy(sandboxId),
    });
    this.bases = createBases({
      machine: () => this.#open().machine,
      directories: () => this.#openOrExplain(),
      launch: () => this.#residences.namespaces.launch(),
    });
    this.overlays = createOverlays({
      directories: () => this.#openOrExplain(),
      owner: () => agentOwner(this.#open().machine),
      isRunning: (sandboxId) => this.#isBusy(sandboxId),
    });
  }

  async capabilities(): Promise<PresentCapabilities> {
    return {
      ...this.declared,
      ...this.#isolation(),
      // The kernel counts processes by user namespace; for the rest a cgroup is needed.
      limits:
        findCgroupPlace(this.#options.stateDirectory) === undefined
          ? ["pids"]
          : LOCAL_CAPABILITIES.limits,
    };
  }

  async probe(signal: AbortSignal): Promise<readonly Probe[]> {
    return probeMachine({ ...this.#options, provider: this, signal });
  }

  async create(specification: SandboxSpecification, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    checkId(specification.id);
    const { sandboxes, trash } = this.#openOrExplain();
    const directory = join(sandboxes, specification.id);
    const existed = await isDirectory(directory);
    try {
      this.#makeDirectories(directory, specification);
    } catch (error) {
      if (!existed) await discardTree(directory, trash);
      throw explainDiskError(error, sandboxes);
    }
    // The first start then finds the keeper resident; why it could not be launched is that start's to tell.
    this.#residenceOf(specification)
      .launch()
      .catch((error: unknown) => {
        this.#logger.warn("the keeper did not start", { error: String(error) });
      });
  }

  async start(
    specification: SandboxSpecification,
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<RunningSandbox> {
    signal.throwIfAborted();
    checkId(specification.id);
    if (this.#isBusy(specification.id)) {
      throw new CattlegridError("SANDBOX_BUSY", `The sandbox ${specification.id} runs already.`);
    }
    this.#starting.add(specification.id);
    try {
      const residence = this.#residenceOf(specification);
      await residence.settle(() => this.#try(residence));
      return await this.#start(specification, hooks, signal);
    } catch (error) {
      throw explainDiskError(error, this.#options.stateDirectory);
    } finally {
      this.#starting.delete(specification.id);
    }
  }

  async destroy(sandboxId: string): Promise<void> {
    checkId(sandboxId);
    await this.#running.get(sandboxId)?.stop();
    const { sandboxes, trash } = this.#openOrExplain();
    await discardTree(join(sandboxes, sandboxId), trash);
  }

  async reap(keep: ReadonlySet<string>): Promise<readonly string[]> {
    const { sandboxes, trash } = this.#openOrExplain();
    for (const residence of Object.values(this.#residences)) await residence.clear();
    for (const leftover of await readdir(trash)) await removeTree(join(trash, leftover));
    const found = await readdir(sandboxes);
    const doomed = found.filter((id) => !keep.has(id) && !this.#isBusy(id));
    for (const id of doomed) await discardTree(join(sandboxes, id), trash);
    const cgroups = findCgroupPlace(this.#options.stateDirectory);
    if (cgroups !== undefined) removeCgroups(cgroups, new Set(this.#running.keys()));
    return doomed;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map((sandbox) => sandbox.stop()));
    await Promise.all(Object.values(this.#residences).map((residence) => residence.close()));
    await rm(join(this.#options.runtimeDirectory, "gvisor"), { recursive: true, force: true });
  }

  async #start(
    specification: SandboxSpecification,
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<RunningSandbox> {
    const { machine, directories } = this.#open();
    const directory = join(directories.sandboxes, specification.id);
    if (!(await isDirectory(directory))) this.#makeDirectories(directory, specification);
    const residence = this.#residenceOf(specification);
    const [launched, runtimeVersion] = await Promise.all([residence.launch(), residence.version()]);
    signal.throwIfAborted();
    const cgroups = findCgroupPlace(this.#options.stateDirectory);
    const context = {
      machine,
      launched,
      directories,
      cgroups,
      runtime: residence.runtime.runtime,
      runtimeVersion,
      logger: this.#logger,
    };
    const sandbox = await startSandbox(context, specification, hooks);
    this.#running.set(specification.id, sandbox);
    void sandbox.ended.then(() => this.#running.delete(specification.id));
    if (!signal.aborted) return sandbox;
    await sandbox.stop();
    throw signal.reason;
  }

  #makeDirectories(directory: string, { workspace, base, hasRoot }: SandboxSpecification): void {
    const { machine } = this.#open();
    if (hasRoot === true) requireIds(machine);
    const owner = agentOwner(machine);
    if (base !== undefined) {
      // Whoever is root inside has them, as in any root file system.
      const trees = hasRoot === true ? (["root", "etc"] as const) : (["root"] as const);
      makeSandboxDirectories(directory, machine.isRoot ? rootOwner(machine) : undefined, trees);
    }
    makeSandboxDirectories(directory, owner, base === undefined ? undefined : ["home"]);
    if (workspace?.mode !== "overlay") return;
    makeWorkspaceDirectories(directory, modeOf(workspace.path), owner);
  }

  async #try(residence: Residence): Promise<void> {
    const signal = AbortSignal.timeout(TRIAL_TIMEOUT_MS);
    const ground = {
      start: (specification: SandboxSpecification, hooks: StartHooks) =>
        this.#start(specification, hooks, signal),
      destroy: (sandboxId: string) => this.destroy(sandboxId),
    };
    const { runtime } = residence.runtime;
    await tryRuntime(ground, { runtime, version: await residence.version() }, signal);
  }

  #residenceOf({ isolation = "namespaces" }: SandboxSpecification): Residence {
    if (isolation === "namespaces" || isolation === "gvisor") return this.#residences[isolation];
    const message = `The local sandbox provider has no isolation ${isolation}.`;
    throw new CattlegridError("PROVIDER_UNSUPPORTED", message);
  }

  /** Whether gVisor works here is tried when it is first asked for; whether it could is told at once. */
  #isolation(): Pick<PresentCapabilities, "isolation" | "lacking"> {
    try {
      requireSentry(this.#open().machine, this.#options.programs?.runsc);
      return { isolation: ["namespaces", "gvisor"] };
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      const lacking = { isolation: "gvisor" as const, why: error.message, remedy: error.hint };
      return { isolation: ["namespaces"], lacking: [lacking] };
    }
  }

  #isBusy(sandboxId: string): boolean {
    return this.#running.has(sandboxId) || this.#starting.has(sandboxId);
  }

  #openOrExplain(): Directories {
    try {
      return this.#open().directories;
    } catch (error) {
      throw explainDiskError(error, this.#options.stateDirectory);
    }
  }

  #open(): Host {
    if (this.#host !== undefined) return this.#host;
    const directories = openDirectories(this.#options.stateDirectory);
    const machine = inspectMachine();
    const proposed = machine.subordinate.first;
    const first = machine.isRoot
      ? fixSubordinateRange(directories.subordinateFile, proposed)
      : proposed;
    const subordinate = { ...machine.subordinate, first };
    this.#host = { directories, machine: { ...machine, subordinate } };
    return this.#host;
  }
}

/** As root the agent is a subordinate user, to whom its files must belong; else it is this user. */
function agentOwner({ isRoot, subordinate }: Machine): Owner | undefined {
  if (!isRoot) return undefined;
  return { uid: subordinate.first + AGENT_ID, gid: subordinate.first + AGENT_ID };
}

function rootOwner({ isRoot, subordinate }: Machine): Owner {
  return isRoot ? { uid: subordinate.first, gid: subordinate.first } : { uid: 0, gid: 0 };
}

/** An ordinary user's sandbox has one id, the agent's: nobody could be root in it, and no file could be root's. */
function requireIds({ isRoot }: Machine): void {
  if (isRoot) return;
  const message = "Nothing can be root in a sandbox that an ordinary user runs.";
  throw new CattlegridError("BASE_UNSUITABLE", message, {
    hint: "Use a base that has the packages already, the Docker provider, or run Cattlegrid as root. Subordinate ids (`usermod --add-subuids`) do not help: such a sandbox has the id of its agent alone.",
  });
}
