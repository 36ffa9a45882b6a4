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
import type { ReadingOptions } from "./egress/gates.ts";
import type { Policies } from "./egress/policies.ts";
import type { Lease } from "./life/lease.ts";
import { recover, type Recovery } from "./life/recovery.ts";
import { settleSession } from "./life/session-end.ts";
import type { StartWatcher } from "./life/shared-start.ts";
import {
  createThrowAway,
  type ThrowAwayOptions,
  type ThrowAwaySandbox,
} from "./life/throw-away.ts";
import { removeEverything } from "./life/total-removal.ts";
import { createParts, type Parts, type PartsOptions } from "./parts.ts";
import type { Ports } from "./ports/ports.ts";
import { toProcessRequest } from "./process-request.ts";
import { probeProviders, type ProviderHealth } from "./provider-health.ts";
import type { RunningSandbox, SandboxProvider } from "./provider.ts";
import { providerOf } from "./registry.ts";
import type { Sandboxes, SandboxesOptions } from "./sandboxes.ts";
import type { Upkeep } from "./upkeep/upkeep.ts";
import { showFacts, showSandbox, standsOnOwn } from "./view.ts";
import type { WarmPools } from "./warm/pools.ts";
import { Clones } from "./workspace/clones.ts";
import { Copies } from "./workspace/copies.ts";
import { createQuarantines, type Quarantines } from "./workspace/quarantines.ts";
import type { WorkspaceChanges } from "./workspace/workspace-changes.ts";
import type { TotalRemoval } from "../protocol/daemon.ts";

export async function createSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const now = options.now ?? (() => new Date((options.clock ?? SYSTEM_CLOCK).now()));
  const { stateDirectory } = options.surroundings;
  const clones = new Clones({ stateDirectory, gates: options.gates });
  const quarantines = createQuarantines({ ...options, stateDirectory, now });
  const copies = new Copies(stateDirectory);
  const own = { ...options, clones, copies, quarantines, now };
  const live = new LiveSandboxes({ ...own, recovery: await recover(own) });
  live.resume();
  return live;
}

class LiveSandboxes implements Sandboxes {
  readonly providers: readonly SandboxProvider[];
  readonly policies: Policies;
  readonly quarantines: Quarantines;
  readonly changes: WorkspaceChanges;
  readonly ports: Ports;
  readonly upkeep: Upkeep;
  readonly warm: WarmPools;
  readonly #options: SandboxesOptions;
  readonly #recovery: Recovery;
  readonly #parts: Parts;
  #closing: Promise<void> | undefined;

  constructor(options: PartsOptions) {
    this.#options = options;
    this.#recovery = options.recovery;
    this.#parts = createParts(options, {
      find: (id) => this.#getRow(id),
      show: (row) => this.#show(row),
      start: (id) => this.start(id, {}, { signal: new AbortController().signal }),
      remove: (id) => this.remove(id),
      removeLater: (id) => this.#removeLater(id),
    });
    this.providers = options.providers;
    this.quarantines = options.quarantines;
    const { policies, changes, ports, upkeep, warm } = this.#parts;
    this.policies = policies;
    this.changes = changes;
    this.ports = ports;
    this.upkeep = upkeep;
    this.warm = warm;
  }

  async create(
    owner: string,
    request: SandboxCreate,
  ): Promise<{ sandbox: Sandbox; created: boolean }> {
    const { row, created } = await this.#parts.maker.make(owner, request);
    if (created && row.ephemeral) this.#parts.leases.expect(row.id);
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
    this.#parts.lifetimes.refuseExpired(row);
    await this.#parts.lifecycle.start(id, request, watcher);
    return this.get(id);
  }

  async stop(id: string): Promise<Sandbox> {
    const { provider } = await this.#getRow(id);
    await this.#parts.lifecycle.stop(id);
    await this.#recovery.of(provider);
    await this.#parts.fetching.fetchWhatThereIs(await this.#getRow(id));
    return this.get(id);
  }

  async remove(id: string): Promise<void> {
    this.#parts.leases.forget(id);
    const { store, providers } = this.#options;
    const row = await store.sandboxes.get(id);
    if (row !== undefined) providerOf(providers, row);
    if (row?.specification.clone !== undefined) await this.stop(id);
    if (row !== undefined && (await this.#parts.retirement.keepsChanges(row))) return;
    await this.#parts.lifecycle.remove(id);
  }

  /** What an earlier engine left with changes in it, and the pools that it kept; goes on behind. */
  resume(): void {
    void this.#parts.retirement.settleAbandoned();
    void this.warm.restore();
  }

  findRunning(id: string): RunningSandbox | undefined {
    return this.#parts.lifecycle.running(id);
  }

  async running(id: string): Promise<RunningSandbox> {
    const running = this.#parts.lifecycle.running(id);
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
    return this.#parts.fetching.fetch(id, approve, signal);
  }

  async showParameters(id: string): Promise<SandboxParameters> {
    return this.#parts.parameters.show(await this.#getRow(id));
  }

  async setParameters(id: string, given: ParameterValues): Promise<SandboxParameters> {
    return this.#parts.parameters.set(await this.#getRow(id), given);
  }

  lease(id: string): Lease {
    return this.#parts.leases.open(id);
  }

  async keep(id: string): Promise<Sandbox> {
    this.#parts.leases.forget(id);
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
    return this.#parts.lifecycle.countRunning() + this.warm.count();
  }

  countLeases(): number {
    return this.#parts.leases.count();
  }

  async removeEverything(): Promise<TotalRemoval> {
    await this.warm.clear();
    const remove = (id: string): Promise<void> => this.#parts.lifecycle.remove(id);
    return removeEverything({ ...this.#options, stop: (id) => this.stop(id), remove });
  }

  close(): Promise<void> {
    this.#closing ??= this.#parts.lifecycle.close(async () => {
      this.#parts.leases.close();
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
    const facts = showFacts(row, this.#parts.lifecycle.running(row.id), this.#options.providers);
    const ports = this.ports.list(row.id);
    const idleStopsAtMs = this.#parts.lifetimes.idleStopsAt(row.id);
    const hasOwnUserland = standsOnOwn(row, this.#options.providers);
    return showSandbox({ row, sessions, facts, ports, idleStopsAtMs, hasOwnUserland });
  }
}

function refuseUnknown(idOrName: string): never {
  throw new CattlegridError("SANDBOX_NOT_FOUND", `There is no sandbox ${idOrName}.`);
}
