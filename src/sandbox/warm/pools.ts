import { randomUUID } from "node:crypto";
import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { WarmPool, WarmPoolSet } from "../../protocol/warm-pool.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import type { WarmPoolRow } from "../../store/warm-pool-rows.ts";
import type { CaptureSockets } from "../capture/capture-sockets.ts";
import type { Gate } from "../egress/gates.ts";
import { requireLaunchable, type Launch, type LaunchedSandbox } from "../life/launch.ts";
import { OperationQueues } from "../life/operation-queues.ts";
import type { SandboxProvider } from "../provider.ts";
import { providerOf } from "../registry.ts";
import { TemplatePool } from "./pool.ts";
import { findDifference, type PreparedSandbox } from "./prepared.ts";

export interface WarmPoolsOptions {
  store: Pick<Store, "warmPools">;
  providers: readonly SandboxProvider[];
  /** A row that nobody stores, of a sandbox without a workspace. */
  describe(owner: string, wanted: WarmPoolRow): Promise<SandboxRow>;
  /** Everything up to the start of a row's sandbox. */
  plan(row: SandboxRow, pins: DisposableStack, signal: AbortSignal): Promise<Launch>;
  logger: Logger;
}

/**
 * Sandboxes that run before anybody asks for them. Each is made from a template alone, serves one claim, and ends with
 * it: nothing of one user ever reaches another.
 */
export class WarmPools {
  readonly #options: WarmPoolsOptions;
  readonly #pools = new Map<string, TemplatePool>();
  /** By the id of the stored sandbox that is going to claim it. */
  readonly #reserved = new Map<string, PreparedSandbox>();
  /** Why a new sandbox of a template with a pool starts without. */
  readonly #cold = new Map<string, string>();
  /** A pool is changed by one caller at a time. */
  readonly #queues = new OperationQueues();
  #isClosed = false;

  constructor(options: WarmPoolsOptions) {
    this.#options = options;
  }

  /** Makes the pools anew that were asked for before; what goes wrong is shown by `list`. */
  async restore(): Promise<void> {
    for (const row of await this.#options.store.warmPools.list()) {
      const isAskedAnew = this.#pools.has(keyOf(row.owner, row.template));
      if (!this.#isClosed && !isAskedAnew) void this.#open(row).fill();
    }
  }

  /** Keeps so many of a template ready from now on; resolves when they are. Throws what making one throws. */
  set(owner: string, template: string, wish: WarmPoolSet): Promise<WarmPool> {
    const row = { owner, template, wish };
    return this.#queues.run(keyOf(owner, template), () => this.#set(row));
  }

  async list(owner: string): Promise<readonly WarmPool[]> {
    const own = [...this.#pools.values()].filter(({ wanted }) => wanted.owner === owner);
    return Promise.all(own.map((pool) => pool.show()));
  }

  /** How many sandboxes of pools run, or are about to. */
  count(): number {
    return [...this.#pools.values()].reduce((sum, { wanted }) => sum + wanted.wish.size, 0);
  }

  /** The id that a new sandbox gets: that of a prepared one which stands by for it, or its own. */
  reserve(row: SandboxRow): string {
    const { template } = row.specification;
    const pool = template && this.#pools.get(keyOf(row.owner, template.name));
    if (pool === undefined) return row.id;
    const taken = pool.take(row);
    if ("why" in taken) {
      this.#cold.set(row.id, taken.why);
      return row.id;
    }
    this.#reserved.set(taken.id, taken);
    void taken.running.ended.then(() => {
      if (this.#reserved.delete(taken.id)) release(taken);
    });
    return taken.id;
  }

  /** The sandbox that this was reserved for will not be made. */
  async forget(id: string): Promise<void> {
    const prepared = this.#reserved.get(id);
    this.#reserved.delete(id);
    this.#cold.delete(id);
    if (prepared !== undefined) await this.#discard(prepared);
  }

  /**
   * Turns the sandbox that was reserved for this launch into it. Undefined, with everything cleared away and the reason
   * told, when it has to start in the usual way.
   */
  async claim(
    launch: Launch,
    report: (event: StartEvent) => void,
  ): Promise<LaunchedSandbox | undefined> {
    const { id } = launch.specification;
    const prepared = this.#reserved.get(id);
    this.#reserved.delete(id);
    let why = this.#cold.get(id);
    this.#cold.delete(id);
    if (prepared !== undefined) {
      const claimed = await this.#takeOver(prepared, launch);
      if (!("why" in claimed)) return claimed;
      why = claimed.why;
    }
    if (why !== undefined) {
      report({ type: "notice", text: `No prepared sandbox was used: ${why}.` });
    }
    return undefined;
  }

  /** Ends all that nobody has claimed, and keeps none ready any more. */
  async clear(): Promise<void> {
    await this.close();
    const { warmPools } = this.#options.store;
    for (const { owner, template } of await warmPools.list())
      await warmPools.remove(owner, template);
  }

  /** Ends all that nobody has claimed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    this.#pools.clear();
    const reserved = [...this.#reserved.values()];
    this.#reserved.clear();
    for (const prepared of reserved) release(prepared);
  }

  async #set(row: WarmPoolRow): Promise<WarmPool> {
    const { store } = this.#options;
    const { owner, template, wish } = row;
    const key = keyOf(owner, template);
    const described = await this.#options.describe(owner, row);
    const provider = providerOf(this.#options.providers, described);
    const { warmPool } = await provider.capabilities(AbortSignal.timeout(30_000));
    if (!warmPool && wish.size > 0) {
      const message = `The ${provider.id} sandbox provider prepares no sandboxes.`;
      throw new CattlegridError("PROVIDER_UNSUPPORTED", message);
    }
    await this.#pools.get(key)?.close();
    this.#pools.delete(key);
    if (wish.size === 0) {
      await store.warmPools.remove(owner, template);
      return {
        template,
        parameters: wish.parameters ?? {},
        provider: provider.id,
        size: 0,
        ready: 0,
      };
    }
    await store.warmPools.put(row);
    if (this.#isClosed) throw new CattlegridError("INTERRUPTED", "The engine is being closed.");
    const pool = this.#open(row);
    await pool.fill();
    return { ...(await pool.show()), provider: provider.id };
  }

  async #takeOver(
    prepared: PreparedSandbox,
    launch: Launch,
  ): Promise<LaunchedSandbox | { why: string }> {
    const { specification, signal } = launch;
    const { running, sockets, pins } = prepared;
    const why = findDifference(prepared.specification, specification);
    if (why !== undefined || running.takeOver === undefined) {
      await this.#discard(prepared);
      return { why: why ?? "this provider cannot" };
    }
    let gate: Gate | undefined;
    try {
      await requireLaunchable(launch);
      gate = await launch.gate.open();
      // SECURITY: the gateway listens before anything runs inside, here as at every start.
      if (sockets !== undefined) gate.capture(sockets);
      prepared.sockets = undefined;
      await running.takeOver(specification);
      signal.throwIfAborted();
      pins.dispose();
      return { running, gate };
    } catch (error) {
      await gate?.close();
      await this.#discard(prepared);
      if (signal.aborted) throw error;
      return { why: asCattlegridError(error).message.replace(/\.$/, "") };
    }
  }

  #open(wanted: WarmPoolRow): TemplatePool {
    const { describe, logger } = this.#options;
    const pool = new TemplatePool(wanted, {
      describe: (row) => describe(row.owner, row),
      prepare: (row, signal) => this.#prepare(row, signal),
      discard: (prepared) => this.#discard(prepared),
      logger,
    });
    this.#pools.set(keyOf(wanted.owner, wanted.template), pool);
    return pool;
  }

  async #prepare(described: SandboxRow, signal: AbortSignal): Promise<PreparedSandbox> {
    const row = { ...described, id: randomUUID() };
    const pins = new DisposableStack();
    const provider = providerOf(this.#options.providers, row);
    let sockets: CaptureSockets | undefined;
    try {
      const launch = await this.#options.plan(row, pins, signal);
      await requireLaunchable(launch);
      await provider.create(launch.specification, signal);
      const hooks = { onCapture: (captured: CaptureSockets) => (sockets = captured) };
      const running = await provider.start(launch.specification, hooks, signal);
      return { id: row.id, specification: launch.specification, running, sockets, pins };
    } catch (error) {
      release({ sockets, pins });
      await provider.destroy(row.id);
      throw error;
    }
  }

  async #discard(prepared: PreparedSandbox): Promise<void> {
    await prepared.running.stop();
    release(prepared);
    const { id } = prepared;
    for (const provider of this.#options.providers) await provider.destroy(id);
  }
}

/** What the engine itself holds of one that ended. */
function release(prepared: Pick<PreparedSandbox, "sockets" | "pins">): void {
  prepared.sockets?.tcp.close();
  for (const socket of prepared.sockets?.udp ?? []) socket.close();
  prepared.sockets = undefined;
  prepared.pins.dispose();
}

function keyOf(owner: string, template: string): string {
  return JSON.stringify([owner, template]);
}
