import type { AgentRegistry } from "../agent/registry.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { EgressRecord } from "../protocol/egress.ts";
import type { Fetched } from "../protocol/fetch.ts";
import type { Exec } from "../protocol/process.ts";
import type { Sandbox, SandboxCreate, SandboxStart } from "../protocol/sandbox.ts";
import type { SandboxParameters } from "../protocol/template-list.ts";
import type { ParameterValues } from "../template/interpolation.ts";
import type { Store } from "../store/store.ts";
import type { Templates } from "../template/templates.ts";
import type { WorkspaceSurroundings } from "../workspace/workspace.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { Gates, ReadingOptions } from "./egress/gates.ts";
import type { Lease } from "./life/lease.ts";
import type { SandboxSessions } from "./life/lifecycle.ts";
import type { Policies } from "./egress/policies.ts";
import type { Ports } from "./ports/ports.ts";
import type { ProviderHealth } from "./provider-health.ts";
import type { RunningSandbox, SandboxProvider } from "./provider.ts";
import type { Quarantines } from "./workspace/quarantines.ts";
import type { LayerUse } from "./upkeep/layer-use.ts";
import type { Upkeep } from "./upkeep/upkeep.ts";
import type { StartWatcher } from "./life/shared-start.ts";
import type { InstallInside, LayersFor } from "./life/starting.ts";
import type { Terminals } from "./terminals.ts";
import type { ThrowAwayOptions, ThrowAwaySandbox } from "./life/throw-away.ts";
import type { WarmPools } from "./warm/pools.ts";
import type { WorkspaceChanges } from "./workspace/workspace-changes.ts";
import type { TotalRemoval } from "../protocol/daemon.ts";

export interface SandboxesOptions {
  store: Store;
  /** The first is the default. */
  providers: readonly SandboxProvider[];
  agents: AgentRegistry;
  gates: Gates;
  terminals: Terminals;
  layersFor: LayersFor;
  /** Shared with whatever else chooses and removes layers. */
  layerUse: LayerUse;
  installInside: InstallInside;
  sessions: SandboxSessions;
  /** Where a workspace may not be. */
  surroundings: WorkspaceSurroundings;
  /** Default: there are none. */
  templates?: Pick<Templates, "resolve" | "requireSecrets">;
  logger: Logger;
  now?(): Date;
  /** For how long sandboxes run. Default: the machine's. */
  clock?: Clock;
  leaseGraceMs?: number;
}

/** The sandboxes of one engine. Ids must exist: `find` is where an id or name is looked up. */
export interface Sandboxes {
  /** Idempotent as `SandboxCreate` says; `created` is false for one that was there. */
  create(owner: string, request: SandboxCreate): Promise<{ sandbox: Sandbox; created: boolean }>;
  /** By id, or by name among the owner's own. Throws SANDBOX_NOT_FOUND. */
  find(owner: string, idOrName: string): Promise<{ id: string; owner: string; name: string }>;
  get(id: string): Promise<Sandbox>;
  list(owner: string): Promise<readonly Sandbox[]>;
  /** Single-flight: everybody who starts it meanwhile sees the same events and outcome. */
  start(id: string, request: SandboxStart, watcher: StartWatcher): Promise<Sandbox>;
  /** In mode `clone` the work is fetched then. */
  stop(id: string): Promise<Sandbox>;
  /**
   * Ends its sessions, stops it and removes every byte of it. Idempotent. In mode `clone` the work is fetched first, and
   * when that cannot be, nothing is removed and the reason is thrown.
   */
  remove(id: string): Promise<void>;
  /** Throws SANDBOX_NOT_RUNNING. */
  running(id: string): Promise<RunningSandbox>;
  /** The same, undefined for one that does not run. */
  findRunning(id: string): RunningSandbox | undefined;
  /** Starts a process; its terminal is one of the engine's. Throws SANDBOX_NOT_RUNNING, COMMAND_NOT_FOUND… */
  exec(id: string, request: Exec, signal: AbortSignal): Promise<Terminal>;
  /** Brings the work of a sandbox in mode `clone` into the user's repository; `approve` lets held paths through. */
  fetch(id: string, approve: readonly string[], signal: AbortSignal): Promise<Fetched>;
  /** Makes sandboxes anew, and clears away what nobody would miss. */
  readonly upkeep: Upkeep;
  /** Of running sandboxes, on this machine's loopback. */
  readonly ports: Pick<Ports, "list" | "publish" | "close" | "connect">;
  /** Of the template that it was made from. Throws REQUEST_INVALID when it was made from none. */
  showParameters(id: string): Promise<SandboxParameters>;
  /** Of mutable ones, from the next start on. Throws PARAMETER_IMMUTABLE or PARAMETER_INVALID. */
  setParameters(id: string, given: ParameterValues): Promise<SandboxParameters>;
  /** Sandboxes that stand ready before they are asked for. */
  readonly warm: Pick<WarmPools, "set" | "list">;
  /** Keeps an ephemeral sandbox alive until it is closed. */
  lease(id: string): Lease;
  /** Lets an ephemeral sandbox stay. Idempotent. */
  keep(id: string): Promise<Sandbox>;
  /** A session has ended: takes back what was granted for it, and removes a sandbox that was made to go then. */
  afterSession(id: string, sessionId: string): void;
  /** What sandboxes in mode `overlay` wrote over their workspaces. */
  readonly changes: WorkspaceChanges;
  createInternal(options: ThrowAwayOptions): Promise<ThrowAwaySandbox>;
  /** What they made in mode `direct` for the host to run. */
  readonly quarantines: Quarantines;
  /** What may leave each of them. */
  readonly policies: Policies;
  /** Recorded egress decisions, oldest first. */
  egress(id: string, options: ReadingOptions): AsyncIterable<EgressRecord>;
  /** The default first. */
  readonly providers: readonly Pick<SandboxProvider, "id" | "declared">[];
  /** In the order of the providers. */
  probe(signal: AbortSignal): Promise<readonly ProviderHealth[]>;
  countRunning(): number;
  countLeases(): number;
  /** Settles what an earlier engine left with every provider. `start` and `createInternal` wait for their provider's. */
  recovered(): Promise<void>;
  /** Removes the sandboxes of every owner and all layers. Throws what could not be removed, after the rest is. */
  removeEverything(): Promise<TotalRemoval>;
  /** Stops every sandbox. Idempotent. */
  close(): Promise<void>;
}
