import { SILENT_LOGGER, type Logger } from "../../../platform/logger.ts";
import type {
  PresentCapabilities,
  Probe,
  RunningSandbox,
  SandboxLayers,
  SandboxOverlays,
  SandboxProvider,
  SandboxSpecification,
  StartHooks,
} from "../../provider.ts";
import { makeSandboxDirectories, type Directories } from "../../storage/directories.ts";
import { KeptSandboxes } from "../../storage/kept-sandboxes.ts";
import { createLayers } from "../../storage/layers.ts";
import { createOverlays } from "../../storage/overlays.ts";
import type { StartContext } from "./attempt.ts";
import { createBases, type LocalBases } from "./bases.ts";
import { LOCAL_CAPABILITIES } from "./capabilities.ts";
import { findCgroupPlace, removeCgroups, type CgroupPlace } from "./cgroup.ts";
import { Grades } from "./grades.ts";
import { Host } from "./host.ts";
import { probeMachine } from "./probe.ts";
import type { Residence } from "./residence.ts";
import type { NamedPrograms } from "./runtimes/choice.ts";
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

class LocalProvider implements SandboxProvider {
  readonly id = "local";
  readonly declared = LOCAL_CAPABILITIES;
  readonly layers: SandboxLayers;
  readonly overlays: SandboxOverlays;
  readonly bases: LocalBases;
  readonly #options: LocalProviderOptions;
  readonly #logger: Logger;
  readonly #host: Host;
  readonly #grades: Grades;
  readonly #sandboxes: KeptSandboxes;

  constructor(options: LocalProviderOptions) {
    const { stateDirectory, runtimeDirectory, programs = {} } = options;
    this.#options = options;
    this.#logger = options.logger ?? SILENT_LOGGER;
    const host = new Host(stateDirectory);
    this.#host = host;
    this.#grades = new Grades({ host, runtimeDirectory, programs });
    const directories = (): Directories => host.directories;
    const sandboxes = new KeptSandboxes({
      directories,
      makeDirectories: (directory, specification) => host.makeDirectories(directory, specification),
    });
    this.#sandboxes = sandboxes;
    const isRunning = (sandboxId: string): boolean => sandboxes.isBusy(sandboxId);
    this.layers = createLayers({
      directories,
      makeDirectories: (path) => makeSandboxDirectories(path, host.agentOwner),
      isRunning,
    });
    this.overlays = createOverlays({ directories, owner: () => host.agentOwner, isRunning });
    this.bases = createBases({
      machine: () => host.machine,
      directories,
      launch: () => this.#grades.ofBases.launch(),
      range: () => host.ownRange,
    });
  }

  async capabilities(): Promise<PresentCapabilities> {
    return {
      ...this.declared,
      ...this.#grades.present(),
      // The kernel counts processes by user namespace; for the rest a cgroup is needed.
      limits: this.#cgroups === undefined ? ["pids"] : LOCAL_CAPABILITIES.limits,
    };
  }

  async probe(signal: AbortSignal): Promise<readonly Probe[]> {
    return probeMachine({ ...this.#options, provider: this, signal });
  }

  async create(specification: SandboxSpecification, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#sandboxes.make(specification);
    // The first start then finds the keeper resident; why it could not be launched is that start's to tell.
    this.#grades
      .of(specification)
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
    return await this.#sandboxes.whileStarting(specification.id, async () => {
      const residence = this.#grades.of(specification);
      await residence.settle(() => this.#try(residence));
      return await this.#start(specification, hooks, { residence, signal });
    });
  }

  async destroy(sandboxId: string): Promise<void> {
    await this.#sandboxes.discard(sandboxId);
  }

  async reap(keep: ReadonlySet<string>): Promise<readonly string[]> {
    await this.#grades.clear();
    await this.bases.clear();
    const doomed = await this.#sandboxes.discardAllBut(keep);
    const cgroups = this.#cgroups;
    if (cgroups !== undefined) removeCgroups(cgroups, new Set(this.#sandboxes.listRunning()));
    return doomed;
  }

  async close(): Promise<void> {
    await this.#sandboxes.stopAll();
    await this.#grades.close();
  }

  async #start(
    specification: SandboxSpecification,
    hooks: StartHooks,
    { residence, signal }: { residence: Residence; signal: AbortSignal },
  ): Promise<RunningSandbox> {
    const sandbox = await this.#sandboxes.run(specification, async () => {
      const context = await this.#contextOf(residence);
      signal.throwIfAborted();
      let isCaptured = false;
      const onCapture: StartHooks["onCapture"] = (sockets) => {
        isCaptured = true;
        hooks.onCapture(sockets);
      };
      try {
        return await startSandbox(context, specification, { ...hooks, onCapture });
      } catch (error) {
        // A keeper that was dying before anybody could see it has made nothing of this sandbox yet.
        if (isCaptured || context.launched.keeper.isAlive) throw error;
        signal.throwIfAborted();
        return await startSandbox(await this.#contextOf(residence), specification, hooks);
      }
    });
    if (!signal.aborted) return sandbox;
    await sandbox.stop();
    throw signal.reason;
  }

  async #contextOf(residence: Residence): Promise<StartContext> {
    const launching = [residence.launch(), residence.version()] as const;
    const [launched, runtimeVersion] = await Promise.all(launching);
    const { machine, directories } = this.#host;
    return {
      machine,
      launched,
      directories,
      cgroups: this.#cgroups,
      runtime: residence.runtime.runtime,
      runtimeVersion,
      logger: this.#logger,
    };
  }

  async #try(residence: Residence): Promise<void> {
    const signal = AbortSignal.timeout(TRIAL_TIMEOUT_MS);
    const ground = {
      start: (specification: SandboxSpecification, hooks: StartHooks) =>
        this.#start(specification, hooks, { residence, signal }),
      destroy: (sandboxId: string) => this.destroy(sandboxId),
    };
    const { runtime } = residence.runtime;
    await tryRuntime(ground, { runtime, version: await residence.version() }, signal);
  }

  get #cgroups(): CgroupPlace | undefined {
    return findCgroupPlace(this.#options.stateDirectory);
  }
}
