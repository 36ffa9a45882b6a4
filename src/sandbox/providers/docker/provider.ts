import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { SILENT_LOGGER, type Logger } from "../../../platform/logger.ts";
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
import {
  explainDiskError,
  makeSandboxDirectories,
  makeWorkspaceDirectories,
  modeOf,
  openDirectories,
  type Directories,
} from "../../storage/directories.ts";
import { KeptSandboxes } from "../../storage/kept-sandboxes.ts";
import { createLayers } from "../../storage/layers.ts";
import { createOverlays } from "../../storage/overlays.ts";
import { Backend, type ReadVariable } from "./backend.ts";
import { createBases } from "./images/bases.ts";
import type { Labels } from "./engine/engine.ts";
import { DOCKER_CAPABILITIES } from "./capabilities.ts";
import { CaptureWays } from "./capture/ways.ts";
import { availableLimits } from "./container/limits.ts";
import { guestAccount, type GuestAccount } from "./container/guest-account.ts";
import { IdMaps } from "./container/id-maps.ts";
import { checkImage, userlandOf } from "./images/image.ts";
import { INSTALLATION_LABEL, SANDBOX_LABEL } from "./installation.ts";
import { readInstallation } from "../../storage/installation.ts";
import { gradesOf } from "./container/isolation.ts";
import { probeEngine } from "./probe.ts";
import { RootLayers } from "./images/root-layers.ts";
import { startSandbox } from "./start.ts";
import { clearWorkDirectories } from "./container/work-directories.ts";
import { clearStaged } from "./container/workspace-mounts.ts";

export interface DockerProviderOptions {
  /** Homes and layers, on a disk that the engine can mount from. One provider at a time uses it. */
  stateDirectory: string;
  /** Short-lived files and sockets; only this user may enter it. */
  runtimeDirectory: string;
  /** Where the engine is, as in DOCKER_HOST: a local socket. Default: what `read` says, else `unix:///var/run/docker.sock`. */
  host?: string;
  /** From which sandboxes are made: sh, coreutils, curl and CA roots are enough. Default: what `read` says, else `cattlegrid-base`. */
  image?: string;
  /** What is said of engine and image; asked at each use. Default: nothing. */
  read?: ReadVariable;
  /** How the gateway gets its sockets even where another way would do. Default: the one that costs least of those that are open. */
  way?: "helper" | "relay";
  logger?: Logger;
}

const DIRECTORY = "docker";

/** The provider that makes sandboxes on a Docker engine, or on one that speaks as it does. */
export function createDockerProvider(options: DockerProviderOptions): SandboxProvider {
  return new DockerProvider(options);
}

class DockerProvider implements SandboxProvider {
  readonly id = "docker";
  readonly declared = DOCKER_CAPABILITIES;
  readonly layers: SandboxLayers;
  readonly bases: SandboxBases;
  readonly overlays: SandboxOverlays;
  readonly #options: DockerProviderOptions;
  readonly #logger: Logger;
  readonly #backend: Backend;
  readonly #rootLayers: RootLayers;
  readonly #account: GuestAccount = guestAccount();
  readonly #idMaps = process.getuid?.() === 0 ? new IdMaps() : undefined;
  readonly #ways: CaptureWays;
  readonly #sandboxes: KeptSandboxes;
  #directories: Directories | undefined;

  constructor(options: DockerProviderOptions) {
    this.#options = options;
    this.#logger = options.logger ?? SILENT_LOGGER;
    this.#backend = new Backend(options);
    this.#ways = new CaptureWays({ way: options.way, isRoot: this.#idMaps !== undefined });
    const sandboxes = new KeptSandboxes({
      directories: () => this.#open(),
      makeDirectories: (directory, specification) =>
        this.#makeDirectories(directory, specification),
    });
    this.#sandboxes = sandboxes;
    const isRunning = (sandboxId: string): boolean => sandboxes.isBusy(sandboxId);
    const kept = {
      choose: () => this.#backend.choose(),
      directories: () => this.#open(),
      installation: () => this.#installation,
      making: new Map<string, Promise<void>>(),
    };
    this.bases = createBases(kept);
    this.#rootLayers = new RootLayers(kept);
    const homes = createLayers({
      directories: () => this.#open(),
      makeDirectories: (path) => makeSandboxDirectories(path, this.#owner, ["home"]),
      isRunning,
    });
    this.layers = {
      ...this.#rootLayers.over(homes),
      // What was installed on one image need not run on another.
      userland: async (signal) => {
        const { engine, image } = await this.#backend.choose();
        return userlandOf(await checkImage(engine, image, signal));
      },
    };
    this.overlays = createOverlays({
      directories: () => this.#open(),
      owner: () => this.#owner,
      isRunning,
    });
  }

  async capabilities(signal: AbortSignal): Promise<PresentCapabilities> {
    const { engine } = await this.#backend.choose();
    const facts = await engine.inspectEngine(signal);
    return {
      ...this.declared,
      ...gradesOf(facts),
      limits: availableLimits(facts),
    };
  }

  async probe(signal: AbortSignal): Promise<readonly Probe[]> {
    const { stateDirectory } = this.#options;
    const choice = await this.#backend.choose();
    const labels = this.#labels;
    return probeEngine({ ...choice, labels, stateDirectory, provider: this, signal });
  }

  async create(specification: SandboxSpecification, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#sandboxes.make(specification);
  }

  async start(
    specification: SandboxSpecification,
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<RunningSandbox> {
    signal.throwIfAborted();
    return await this.#sandboxes.whileStarting(specification.id, () =>
      this.#start(specification, hooks, signal),
    );
  }

  async destroy(sandboxId: string): Promise<void> {
    await this.#sandboxes.discard(sandboxId);
    await this.#rootLayers.drop(sandboxId);
  }

  async reap(keep: ReadonlySet<string>): Promise<readonly string[]> {
    await this.#removeContainers();
    await this.#rootLayers.clear();
    await this.#clearRuntime();
    for (const directory of await this.#sandboxes.listIdle()) await this.#clearWork(directory);
    return await this.#sandboxes.discardAllBut(keep);
  }

  async close(): Promise<void> {
    await this.#sandboxes.stopAll();
    await this.#idMaps?.close();
    await rm(this.#runtimeDirectory, { recursive: true, force: true });
  }

  async #start(
    specification: SandboxSpecification,
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<RunningSandbox> {
    const directories = this.#open();
    this.#makeRuntime();
    await this.#rootLayers.drop(specification.id);
    const { engine, images, facts, image } = await this.#backend.find(this.#labels, signal);
    const context = {
      image,
      directories,
      engine,
      images,
      rootLayers: this.#rootLayers,
      engineFacts: facts,
      installation: this.#installation,
      runtimeDirectory: this.#runtimeDirectory,
      account: this.#account,
      idMaps: this.#idMaps,
      logger: this.#logger,
      ways: this.#ways,
    };
    const sandbox = await this.#sandboxes.run(specification, () =>
      startSandbox(context, specification, { hooks, signal }),
    );
    void sandbox.ended.then(({ kind }) => {
      this.#backend.forget();
      if (kind === "died") this.#ways.forget();
    });
    return sandbox;
  }

  async #removeContainers(): Promise<void> {
    const { engine } = await this.#backend.choose();
    const own = this.#labels;
    for (const { Id, Labels } of await engine.listContainers(own)) {
      const sandbox = Labels[SANDBOX_LABEL] ?? "";
      if (this.#sandboxes.isBusy(sandbox) || this.#rootLayers.has(sandbox)) continue;
      await engine.removeContainer(Id);
    }
    await engine.removeUnusedVolumes(own);
  }

  async #clearWork(directory: string): Promise<void> {
    const work = { ...(await this.#backend.choose()), installation: this.#installation };
    await clearWorkDirectories(work, directory);
  }

  /** Mounts and files of an engine that was killed while it started a sandbox. */
  async #clearRuntime(): Promise<void> {
    if (!existsSync(this.#runtimeDirectory)) return;
    for (const id of readdirSync(this.#runtimeDirectory)) {
      if (this.#sandboxes.isBusy(id)) continue;
      const directory = join(this.#runtimeDirectory, id);
      if (existsSync(join(directory, "w"))) clearStaged(join(directory, "w"));
      await rm(directory, { recursive: true, force: true });
    }
  }

  #makeDirectories(directory: string, { workspace }: SandboxSpecification): void {
    makeSandboxDirectories(directory, this.#owner, ["home"]);
    if (workspace?.mode !== "overlay") return;
    makeWorkspaceDirectories(directory, modeOf(workspace.path), this.#owner);
  }

  #makeRuntime(): void {
    mkdirSync(join(this.#runtimeDirectory, "empty"), { recursive: true, mode: 0o755 });
    const voidFile = join(this.#runtimeDirectory, "void");
    if (!existsSync(voidFile)) writeFileSync(voidFile, "", { mode: 0o000 });
  }

  #open(): Directories {
    try {
      this.#directories ??= openDirectories(this.#options.stateDirectory);
      return this.#directories;
    } catch (error) {
      throw explainDiskError(error, this.#options.stateDirectory);
    }
  }

  get #owner(): GuestAccount | undefined {
    return this.#idMaps === undefined ? undefined : this.#account;
  }

  get #labels(): Labels {
    return { [INSTALLATION_LABEL]: this.#installation };
  }

  get #installation(): string {
    this.#open();
    return readInstallation(join(this.#options.stateDirectory, "installation"));
  }

  get #runtimeDirectory(): string {
    return join(this.#options.runtimeDirectory, DIRECTORY);
  }
}
