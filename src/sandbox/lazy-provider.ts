import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { CattlegridError } from "../errors/error.ts";
import { describeLibc } from "../platform/libc.ts";
import type {
  PresentCapabilities,
  Probe,
  ProviderPlace,
  ProviderPlugin,
  RunningSandbox,
  SandboxBases,
  SandboxCapabilities,
  SandboxLayers,
  SandboxOverlays,
  SandboxProvider,
  SandboxSpecification,
  ShownSetting,
  StartHooks,
} from "./provider.ts";

/**
 * A provider whose code is loaded when it is first needed. One that never made anything has no state directory, and
 * is not loaded to look for what an earlier engine left.
 */
export function createLazyProvider(
  plugin: ProviderPlugin,
  place: ProviderPlace,
  use: ProviderUse = { begin: async () => undefined, show: async () => [] },
): SandboxProvider {
  return new LazyProvider(plugin, place, use);
}

export interface ProviderUse {
  /** Called before the provider makes anything. */
  begin(): Promise<void>;
  /** What is said of the provider's settings. */
  show(): Promise<readonly ShownSetting[]>;
}

class LazyProvider implements SandboxProvider {
  readonly id: string;
  readonly declared: SandboxCapabilities;
  readonly layers: SandboxLayers;
  readonly overlays?: SandboxOverlays;
  readonly bases: SandboxBases;
  readonly #plugin: ProviderPlugin;
  readonly #place: ProviderPlace;
  readonly #use: ProviderUse;
  /** By the sandboxes that run. */
  readonly #shown = new Map<string, readonly ShownSetting[]>();
  #loading: Promise<SandboxProvider> | undefined;

  constructor(plugin: ProviderPlugin, place: ProviderPlace, use: ProviderUse) {
    this.id = plugin.id;
    this.declared = plugin.declared;
    this.#plugin = plugin;
    this.#place = place;
    this.#use = use;
    this.layers = {
      list: async () => (await this.#loadIfUsed())?.layers.list() ?? [],
      userland: async (signal) => (await this.#load()).layers.userland?.(signal) ?? describeLibc(),
      seal: async (...given) => (await this.#load()).layers.seal(...given),
      remove: async (layerId) => (await this.#loadIfUsed())?.layers.remove(layerId),
      measure: async (layerId) => (await this.#loadIfUsed())?.layers.measure?.(layerId) ?? 0,
    };
    this.bases = {
      prepare: async (...given) => {
        const { bases } = await this.#load();
        if (bases !== undefined) return bases.prepare(...given);
        throw withoutBases(this.id);
      },
      list: async () => (await this.#loadIfUsed())?.bases?.list() ?? [],
      remove: async (id) => (await this.#loadIfUsed())?.bases?.remove(id),
      measure: async (id) => (await this.#loadIfUsed())?.bases?.measure?.(id) ?? 0,
    };
    if (plugin.declared.workspaceModes.includes("overlay")) {
      this.overlays = {
        find: async (sandboxId) => (await this.#load()).overlays?.find(sandboxId),
        discard: async (sandboxId) => (await this.#load()).overlays?.discard(sandboxId),
      };
    }
  }

  async capabilities(signal: AbortSignal): Promise<PresentCapabilities> {
    return (await this.#load()).capabilities(signal);
  }

  async probe(signal: AbortSignal): Promise<readonly Probe[]> {
    return (await this.#load()).probe(signal);
  }

  async create(specification: SandboxSpecification, signal: AbortSignal): Promise<void> {
    await this.#beginUse();
    return (await this.#load()).create(specification, signal);
  }

  async start(
    specification: SandboxSpecification,
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<RunningSandbox> {
    await this.#beginUse();
    const shown = await this.#use.show();
    const running = await (await this.#load()).start(specification, hooks, signal);
    this.#shown.set(specification.id, shown);
    void running.ended.then(() => this.#shown.delete(specification.id));
    return running;
  }

  settings(): Promise<readonly ShownSetting[]> {
    return this.#use.show();
  }

  settingsOf(sandboxId: string): readonly ShownSetting[] {
    return this.#shown.get(sandboxId) ?? [];
  }

  async destroy(sandboxId: string): Promise<void> {
    await (await this.#loadIfUsed())?.destroy(sandboxId);
  }

  async reap(keep: ReadonlySet<string>): Promise<readonly string[]> {
    return (await this.#loadIfUsed())?.reap(keep) ?? [];
  }

  async close(): Promise<void> {
    const loading = this.#loading;
    if (loading === undefined) return;
    const [loaded] = await Promise.allSettled([loading]);
    if (loaded.status === "fulfilled") await loaded.value.close();
  }

  /** From here on a later engine has to look for what this one leaves, however it ends. */
  async #beginUse(): Promise<void> {
    await mkdir(this.#place.stateDirectory, { recursive: true, mode: 0o700 });
    await this.#use.begin();
  }

  async #loadIfUsed(): Promise<SandboxProvider | undefined> {
    return this.#loading !== undefined || existsSync(this.#place.stateDirectory)
      ? this.#load()
      : undefined;
  }

  #load(): Promise<SandboxProvider> {
    const loading = this.#loading ?? this.#plugin.load(this.#place);
    this.#loading = loading;
    // What failed may have been mended by the next time.
    loading.catch(() => {
      if (this.#loading === loading) this.#loading = undefined;
    });
    return loading;
  }
}

/** What is asked of a provider whose sandboxes have its own root file system and no other. */
export function withoutBases(provider: string): CattlegridError {
  const message = `The provider ${provider} makes no sandbox on a base of its own.`;
  return new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: "Use --provider with one that states `bases` (docs/providers), or a template on base host.",
  });
}
