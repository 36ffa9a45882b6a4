import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../../errors/error.ts";
import { SILENT_LOGGER, type Logger } from "../../../platform/logger.ts";
import type {
  PresentCapabilities,
  Probe,
  RunningSandbox,
  SandboxLayers,
  SandboxProvider,
  SandboxSpecification,
  StartHooks,
} from "../../provider.ts";
import { readInstallation } from "../../storage/installation.ts";
import { ApiClient } from "./api-client.ts";
import { DAYTONA_CAPABILITIES } from "./capabilities.ts";
import { probeDaytona } from "./probe.ts";
import { ControlApi } from "./control-api.ts";
import type { Patience } from "./patience.ts";
import { readKey, readSettings, type DaytonaSettings, type ReadVariable } from "./settings.ts";
import { settle, startSandbox, type StartContext } from "./start.ts";

const CALL_TIMEOUT_MS = 5 * 60_000;
const INSTALLATION_LABEL = "cattlegrid-installation";
const SANDBOX_LABEL = "cattlegrid-sandbox";
const OWNER_LABEL = "cattlegrid-owner";

export interface DaytonaProviderOptions {
  /** Which of the service's sandboxes are ours is kept there, and nothing else. */
  stateDirectory: string;
  /** Where the key and the settings are; asked at each use. */
  read: ReadVariable;
  logger?: Logger;
  patience?: Partial<Patience>;
}

/** The provider whose sandboxes are Daytona's. */
export function createDaytonaProvider(options: DaytonaProviderOptions): SandboxProvider {
  return new DaytonaProvider(options);
}

class DaytonaProvider implements SandboxProvider {
  readonly id = "daytona";
  readonly declared = DAYTONA_CAPABILITIES;
  readonly layers: SandboxLayers = {
    list: async () => [],
    seal: async () => {
      throw new CattlegridError("PROVIDER_UNSUPPORTED", "Daytona's sandboxes stand on no layers.");
    },
    remove: async () => undefined,
  };
  readonly #options: DaytonaProviderOptions;
  readonly #logger: Logger;
  readonly #running = new Map<string, RunningSandbox>();
  readonly #starting = new Set<string>();
  /** Of which the service was never told: what cannot be asked of it need not be asked for them. */
  readonly #untold = new Set<string>();

  constructor(options: DaytonaProviderOptions) {
    this.#options = options;
    this.#logger = options.logger ?? SILENT_LOGGER;
  }

  async capabilities(): Promise<PresentCapabilities> {
    const { image } = await readSettings(this.#options.read);
    // Whoever has no key hears so before anything is made.
    await readKey(this.#options.read);
    return { ...this.declared, limits: image === undefined ? [] : this.declared.limits };
  }

  async probe(signal: AbortSignal): Promise<readonly Probe[]> {
    const { read } = this.#options;
    return probeDaytona({ read, open: () => this.#open(), labels: this.#labels }, signal);
  }

  /** A sandbox comes to be with its first start: the service runs whatever it makes. */
  async create({ id, workspace }: SandboxSpecification, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    checkId(id);
    if (workspace !== undefined && !this.declared.workspaceModes.includes(workspace.mode)) {
      const message = `The workspace mode ${workspace.mode} is not available: Daytona's machines see no file of this one.`;
      throw new CattlegridError("WORKSPACE_MODE_UNAVAILABLE", message);
    }
    this.#untold.add(id);
  }

  async start(
    specification: SandboxSpecification,
    _hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<RunningSandbox> {
    signal.throwIfAborted();
    const { id } = specification;
    checkId(id);
    if (this.#running.has(id) || this.#starting.has(id)) {
      throw new CattlegridError("SANDBOX_BUSY", `The sandbox ${id} runs already.`);
    }
    this.#starting.add(id);
    try {
      const context = await this.#contextOf(id);
      const sandbox = await startSandbox(context, specification, signal);
      this.#running.set(id, sandbox);
      void sandbox.ended.then(() => this.#running.delete(id));
      return sandbox;
    } finally {
      this.#starting.delete(id);
    }
  }

  async destroy(sandboxId: string): Promise<void> {
    checkId(sandboxId);
    const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
    if (this.#untold.delete(sandboxId)) return;
    await this.#running.get(sandboxId)?.stop();
    const { service } = await this.#open();
    const found = await service.find(this.#nameOf(sandboxId), signal);
    if (found?.labels[INSTALLATION_LABEL] === this.#installation)
      await service.remove(found.id, signal);
  }

  async reap(keep: ReadonlySet<string>): Promise<readonly string[]> {
    const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
    const { service } = await this.#open();
    const removed: string[] = [];
    for (const { id, labels, state } of await service.list(this.#labels, signal)) {
      const own = labels[SANDBOX_LABEL] ?? "";
      if (this.#running.has(own) || this.#starting.has(own)) continue;
      if (!keep.has(own)) {
        await service.remove(id, signal);
        removed.push(own);
      } else if (state === "started") await settle(await this.#contextOf(own), id);
    }
    return removed;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map((sandbox) => sandbox.stop()));
  }

  /** With what is said of the account now. */
  async #open(): Promise<{ client: ApiClient; service: ControlApi; settings: DaytonaSettings }> {
    const { read, patience = {} } = this.#options;
    const settings = await readSettings(read);
    const client = new ApiClient({ url: settings.url, key: () => readKey(read), patience });
    return { client, service: new ControlApi(client), settings };
  }

  async #contextOf(sandboxId: string): Promise<StartContext> {
    const name = this.#nameOf(sandboxId);
    const labels = { ...this.#labels, [SANDBOX_LABEL]: sandboxId };
    const onTold = (): void => void this.#untold.delete(sandboxId);
    return { ...(await this.#open()), name, labels, onTold, logger: this.#logger };
  }

  #nameOf(sandboxId: string): string {
    return `cattlegrid-${this.#installation}-${sandboxId}`;
  }

  get #labels(): Readonly<Record<string, string>> {
    const owner = `local-${process.getuid?.() ?? 0}`;
    return { [INSTALLATION_LABEL]: this.#installation, [OWNER_LABEL]: owner };
  }

  get #installation(): string {
    const { stateDirectory } = this.#options;
    mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
    return readInstallation(join(stateDirectory, "installation"));
  }
}

/** It becomes part of names and addresses. */
function checkId(id: string): void {
  if (/^[A-Za-z0-9-]{1,64}$/.test(id)) return;
  throw new CattlegridError("REQUEST_INVALID", `${JSON.stringify(id)} is no id of a sandbox.`);
}
