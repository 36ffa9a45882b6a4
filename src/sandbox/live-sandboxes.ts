import { CattlegridError } from "../errors/error.ts";
import { SYSTEM_CLOCK } from "../platform/clock.ts";
import type { EgressRecord } from "../protocol/egress.ts";
import type { Fetched } from "../protocol/fetch.ts";
import type { Exec } from "../protocol/process.ts";
import type { Sandbox, SandboxCreate, SandboxStart } from "../protocol/sandbox.ts";
import type { SandboxParameters } from "../protocol/template-list.ts";
import type { SandboxRow } from "../store/sandbox-rows.ts";
import type { ParameterValues } from "../template/interpolation.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { Clones } from "./clones.ts";
import { Copies } from "./copies.ts";
import { createFetching, type Fetching } from "./fetching.ts";
import type { ReadingOptions } from "./gates.ts";
import { createLifetimes, type Lifetimes } from "./lifetimes.ts";
import { createLeases, type Lease, type Leases } from "./lease.ts";
import { createLifecycle, type Lifecycle } from "./lifecycle.ts";
import { createPolicies, type Policies } from "./policies.ts";
import { createSandboxMaker, type SandboxMaker } from "./making.ts";
import { createPorts, type Ports } from "./ports.ts";
import { probeProviders, type ProviderHealth } from "./provider-health.ts";
import type { RunningSandbox, SandboxProvider } from "./provider.ts";
import { createQuarantines, type Quarantines } from "./quarantines.ts";
import { recover, type Recovery } from "./recovery.ts";
import { createUpkeep, type Upkeep } from "./upkeep.ts";
import { settleSession } from "./session-end.ts";
import { removeEverything } from "./total-removal.ts";
import { providerOf } from "./registry.ts";
import { createRetirement, type Retirement } from "./retirement.ts";
import type { StartWatcher } from "./shared-start.ts";
import { startStored } from "./starting.ts";
import { createTemplateParameters, type TemplateParameters } from "./template-parameters.ts";
import { toProcessRequest } from "./process-request.ts";
import { createThrowAway, type ThrowAwayOptions, type ThrowAwaySandbox } from "./throw-away.ts";
import { showSandbox } from "./view.ts";
import { createWarmPools } from "./warm/creation.ts";
import type { WarmPools } from "./warm/pools.ts";
import { createWorkspaceChanges, type WorkspaceChanges } from "./workspace-changes.ts";
import type { Sandboxes, SandboxesOptions } from "./sandboxes.ts";

const LEASE_GRACE_MS = 30_000;
const COUNT_TIMEOUT_MS = 600_000;

export async function createSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const now = options.now ?? (() => new Date((options.clock ?? SYSTEM_CLOCK).now()));
  const { stateDirectory } = options.surroundings;
  const clones = new Clones({ stateDirectory, gates: options.gates });
  const quarantines = createQuarantines({ ...options, stateDirectory, now });
  const copies = new Copies(stateDirectory);
  const own = { ...options, clones, copies, quarantines, now };
  const live = new LiveSandboxes(own, await recover(own));
  live.resume();
  return live;
}

type LiveSandboxesOptions = SandboxesOptions & {
  clones: Clones;
  copies: Copies;
  quarantines: Quarantines;
  now(): Date;
};

class LiveSandboxes implements Sandboxes {
  readonly policies: Policies;
  readonly quarantines: Quarantines;
  readonly changes: WorkspaceChanges;
  readonly #options: SandboxesOptions;
  readonly #recovery: Recovery;
  readonly #lifecycle: Lifecycle;
  readonly #leases: Leases;
  readonly ports: Ports;
  readonly providers: readonly SandboxProvider[];
  readonly upkeep: Upkeep;
  readonly warm: WarmPools;
  readonly #lifetimes: Lifetimes;
  readonly #maker: SandboxMaker;
  readonly #parameters: TemplateParameters;
  readonly #fetching: Fetching;
  readonly #retirement: Retirement;
  #closing: Promise<void> | undefined;

  constructor(options: LiveSandboxesOptions, recovery: Recovery) {
    this.#options = options;
    this.#recovery = recovery;
    this.providers = options.providers;
    this.quarantines = options.quarantines;
    this.warm = createWarmPools(options, recovery);
    this.#maker = createSandboxMaker({ ...options, warm: this.warm });
    this.#parameters = createTemplateParameters(options);
    this.#fetching = createFetching(options);
    this.ports = createPorts(options);
    this.#lifetimes = createLifetimes({
      ...options,
      clock: options.clock ?? SYSTEM_CLOCK,
      ports: this.ports,
      stop: (id, reason) => this.#lifecycle.stop(id, reason),
    });
    this.#lifecycle = this.#openLifecycle(options);
    this.policies = createPolicies({ ...options, lifecycle: this.#lifecycle });
    this.upkeep = createUpkeep({
      ...options,
      lifecycle: this.#lifecycle,
      recovered: () => this.recovered(),
      remove: (id) => this.remove(id),
      countChanges: (id) => this.changes.count(id, AbortSignal.timeout(COUNT_TIMEOUT_MS)),
      show: (row) => this.#show(row),
    });
    this.changes = createWorkspaceChanges({
      ...options,
      find: (id) => this.#getRow(id),
      running: (id) => this.#lifecycle.running(id),
    });
    this.#retirement = createRetirement({
      ...options,
      changes: this.changes,
      start: (id) => this.start(id, {}, { signal: new AbortController().signal }),
      stop: (id) => this.#lifecycle.stop(id),
      remove: (id) => this.remove(id),
    });
    this.#leases = createLeases({
      graceMs: options.leaseGraceMs ?? LEASE_GRACE_MS,
      onExpired: (id) => this.#removeLater(id),
    });
  }

  #openLifecycle(options: LiveSandboxesOptions): Lifecycle {
    return createLifecycle({
      ...options,
      launch: async (row, context) => {
        await this.#recovery.of(row.provider);
        const start = () => startStored({ ...options, warm: this.warm }, row, context);
        const launched = await this.changes.begin(row, context, start);
        this.ports.follow(row.id, launched);
        this.#lifetimes.follow(row, launched);
        return launched;
      },
      ending: (id) => this.changes.finish(id),
      ended: async (id) => void (await options.quarantines.sweep(id)),
      launched: (id) => this.policies.refresh(id),
      destroy: async (row) => {
        const provider = providerOf(options.providers, row);
        await this.#recovery.of(provider.id);
        await provider.destroy(row.id);
        await options.terminals.recordings.remove(row.id);
        await options.gates.remove(row.id);
        await options.clones.remove(row.id);
        await this.changes.forget(row);
      },
    });
  }

  async create(
    owner: string,
    request: SandboxCreate,
  ): Promise<{ sandbox: Sandbox; created: boolean }> {
    const { row, created } = await this.#maker.make(owner, request);
    if (created && row.ephemeral) this.#leases.expect(row.id);
    return { sandbox: await this.#show(row), created };
  }

  async find(owner: string, idOrName: string): Promise<SandboxRow> {
    const { sandboxes } = this.#options.store;
    const found = await sandboxes.get(idOrName);
    return found ?? (await sandboxes.getByName(owner, idOrName)) ?? refuseUnknown(idOrName);
  }

  async get(id: string): Promise<Sandbox> {
    const row = await this.#getRow(id);
    const created = await this.quarantines.look(row);
    const shown = await this.#show(row);
    if (created.length === 0) return shown;
    return { ...shown, createdPaths: created.map(({ path }) => path) };
  }

  async list(owner: string): Promise<readonly Sandbox[]> {
    const rows = await this.#options.store.sandboxes.list(owner);
    return Promise.all(rows.map((row) => this.#show(row)));
  }

  async start(id: string, request: SandboxStart, watcher: StartWatcher): Promise<Sandbox> {
    const row = await this.#getRow(id);
    providerOf(this.#options.providers, row);
    this.#lifetimes.refuseExpired(row);
    await this.#lifecycle.start(id, request, watcher);
    return this.get(id);
  }

  async stop(id: string): Promise<Sandbox> {
    const { provider } = await this.#getRow(id);
    await this.#lifecycle.stop(id);
    await this.#recovery.of(provider);
    await this.#fetching.fetchWhatThereIs(await this.#getRow(id));
    return this.get(id);
  }

  async remove(id: string): Promise<void> {
    this.#leases.forget(id);
    const { store, providers } = this.#options;
    const row = await store.sandboxes.get(id);
    if (row !== undefined) providerOf(providers, row);
    if (row?.specification.clone !== undefined) await this.stop(id);
    if (row !== undefined && (await this.#retirement.keepsChanges(row))) return;
    await this.#lifecycle.remove(id);
  }

  /** What an earlier engine left with changes in it, and the pools that it kept; goes on behind. */
  resume(): void {
    void this.#retirement.settleAbandoned();
    void this.warm.restore();
  }

  findRunning(id: string): RunningSandbox | undefined {
    return this.#lifecycle.running(id);
  }

  async running(id: string): Promise<RunningSandbox> {
    const running = this.#lifecycle.running(id);
    if (running !== undefined) return running;
    const { name, status } = await this.#getRow(id);
    throw new CattlegridError("SANDBOX_NOT_RUNNING", `The sandbox ${name} is ${status}.`);
  }

  async exec(id: string, request: Exec, signal: AbortSignal): Promise<Terminal> {
    const { owner } = await this.#getRow(id);
    const running = await this.running(id);
    const process = await running.exec(toProcessRequest(request), signal);
    return this.#options.terminals.open({
      ...(request.record === true ? { record: request.argv.join(" ") } : {}),
      owner,
      sandboxId: id,
      process,
      ...(request.terminal === undefined ? {} : { size: request.terminal }),
      ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
      isAttended: request.attended === true,
    });
  }

  async fetch(id: string, approve: readonly string[], signal: AbortSignal): Promise<Fetched> {
    await this.#recovery.of((await this.#getRow(id)).provider);
    return this.#fetching.fetch(id, approve, signal);
  }

  async showParameters(id: string): Promise<SandboxParameters> {
    return this.#parameters.show(await this.#getRow(id));
  }

  async setParameters(id: string, given: ParameterValues): Promise<SandboxParameters> {
    return this.#parameters.set(await this.#getRow(id), given);
  }

  lease(id: string): Lease {
    return this.#leases.open(id);
  }

  async keep(id: string): Promise<Sandbox> {
    this.#leases.forget(id);
    await this.#options.store.sandboxes.keep(id);
    return this.get(id);
  }

  afterSession(id: string, sessionId: string): void {
    const { logger } = this.#options;
    const { policies, quarantines, changes } = this;
    const removeLater = this.#removeLater.bind(this);
    const options = { ...this.#options, policies, quarantines, changes, removeLater };
    settleSession(options, { id, sessionId }).catch((error: unknown) =>
      logger.error("after a session", { id, error }),
    );
  }

  async createInternal(wanted: ThrowAwayOptions): Promise<ThrowAwaySandbox> {
    await this.#recovery.of(wanted.provider.id);
    return createThrowAway(this.#options.gates, wanted);
  }

  egress(id: string, reading: ReadingOptions): AsyncIterable<EgressRecord> {
    return this.#options.gates.read(id, reading);
  }

  probe(signal: AbortSignal): Promise<readonly ProviderHealth[]> {
    return probeProviders(this.#options.providers, signal);
  }

  recovered(): Promise<void> {
    return this.#recovery.all();
  }

  countRunning(): number {
    return this.#lifecycle.countRunning() + this.warm.count();
  }

  countLeases(): number {
    return this.#leases.count();
  }

  async removeEverything(): Promise<void> {
    await this.warm.clear();
    const remove = (id: string): Promise<void> => this.#lifecycle.remove(id);
    return removeEverything({ ...this.#options, stop: (id) => this.stop(id), remove });
  }

  close(): Promise<void> {
    this.#closing ??= this.#lifecycle.close(async () => {
      this.#leases.close();
      await this.warm.close();
      const rows = await this.#options.store.sandboxes.list();
      await Promise.all(rows.map(({ id }) => this.changes.finish(id)));
      this.changes.close();
      await Promise.all(this.#options.providers.map((provider) => provider.close()));
    });
    return this.#closing;
  }

  #removeLater(id: string): void {
    const { logger } = this.#options;
    this.remove(id).catch((error: unknown) =>
      logger.error("a sandbox could not be removed", { id, error }),
    );
  }

  async #getRow(id: string): Promise<SandboxRow> {
    return (await this.#options.store.sandboxes.get(id)) ?? refuseUnknown(id);
  }

  async #show(row: SandboxRow): Promise<Sandbox> {
    const sessions = await this.#options.store.sessions.listBySandbox(row.id);
    const facts = this.#lifecycle.running(row.id)?.facts ?? {};
    const ports = this.ports.list(row.id);
    const idleStopsAtMs = this.#lifetimes.idleStopsAt(row.id);
    return showSandbox({ row, sessions, facts, ports, idleStopsAtMs });
  }
}

function refuseUnknown(idOrName: string): never {
  throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${idOrName}.`);
}
