import { SYSTEM_CLOCK } from "../platform/clock.ts";
import type { Sandbox } from "../protocol/sandbox.ts";
import type { SandboxRow } from "../store/sandbox-rows.ts";
import { createPolicies, type Policies } from "./egress/policies.ts";
import { createLeases, type Leases } from "./life/lease.ts";
import { createLifecycle, type Lifecycle, type LifecycleOptions } from "./life/lifecycle.ts";
import { createLifetimes, type Lifetimes } from "./life/lifetimes.ts";
import type { Recovery } from "./life/recovery.ts";
import { startStored } from "./life/starting.ts";
import { createSandboxMaker, type SandboxMaker } from "./making/making.ts";
import { createTemplateParameters, type TemplateParameters } from "./making/template-parameters.ts";
import { createPorts, type Ports } from "./ports/ports.ts";
import { providerOf } from "./registry.ts";
import type { SandboxesOptions } from "./sandboxes.ts";
import { createUpkeep, type Upkeep } from "./upkeep/upkeep.ts";
import { createWarmPools } from "./warm/creation.ts";
import type { WarmPools } from "./warm/pools.ts";
import type { Clones } from "./workspace/clones.ts";
import type { Copies } from "./workspace/copies.ts";
import { createFetching, type Fetching } from "./workspace/fetching.ts";
import type { Quarantines } from "./workspace/quarantines.ts";
import { createRetirement, type Retirement } from "./workspace/retirement.ts";
import { createWorkspaceChanges, type WorkspaceChanges } from "./workspace/workspace-changes.ts";

const LEASE_GRACE_MS = 30_000;
const COUNT_TIMEOUT_MS = 600_000;

export interface PartsOptions extends SandboxesOptions {
  clones: Clones;
  copies: Copies;
  quarantines: Quarantines;
  recovery: Recovery;
  now(): Date;
}

/** What the parts ask of the whole. */
export interface Whole {
  find(id: string): Promise<SandboxRow>;
  show(row: SandboxRow): Promise<Sandbox>;
  start(id: string): Promise<unknown>;
  remove(id: string): Promise<void>;
  removeLater(id: string): void;
}

/** What stored sandboxes are kept by, each part owning one side of their lives. */
export interface Parts {
  maker: SandboxMaker;
  parameters: TemplateParameters;
  lifecycle: Lifecycle;
  lifetimes: Lifetimes;
  leases: Leases;
  policies: Policies;
  ports: Ports;
  changes: WorkspaceChanges;
  fetching: Fetching;
  retirement: Retirement;
  upkeep: Upkeep;
  warm: WarmPools;
}

export function createParts(options: PartsOptions, whole: Whole): Parts {
  const { recovery } = options;
  const lifecycle = createLifecycle({ ...options, ...stepsOfLife(options, () => parts) });
  const warm = createWarmPools(options, recovery);
  const ports = createPorts(options);
  const changes = createWorkspaceChanges({
    ...options,
    find: whole.find,
    running: (id) => lifecycle.running(id),
  });
  const parts: Parts = {
    lifecycle,
    warm,
    ports,
    changes,
    maker: createSandboxMaker({ ...options, warm }),
    parameters: createTemplateParameters(options),
    policies: createPolicies({ ...options, lifecycle }),
    lifetimes: createLifetimes({
      ...options,
      clock: options.clock ?? SYSTEM_CLOCK,
      ports,
      stop: (id, reason) => lifecycle.stop(id, reason),
    }),
    leases: createLeases({
      graceMs: options.leaseGraceMs ?? LEASE_GRACE_MS,
      onExpired: whole.removeLater,
    }),
    fetching: createFetching(options),
    retirement: createRetirement({
      ...options,
      ...whole,
      changes,
      stop: (id) => lifecycle.stop(id),
    }),
    upkeep: createUpkeep({
      ...options,
      ...whole,
      lifecycle,
      recovered: () => recovery.all(),
      countChanges: (id) => changes.count(id, AbortSignal.timeout(COUNT_TIMEOUT_MS)),
    }),
  };
  return parts;
}

type Steps = Pick<LifecycleOptions, "launch" | "launched" | "ending" | "ended" | "destroy">;

/** What each step of a sandbox's life means to the parts. */
function stepsOfLife(options: PartsOptions, parts: () => Parts): Steps {
  const { recovery, providers, terminals, quarantines, gates, clones } = options;
  return {
    async launch(row, context) {
      const { warm, changes, ports, lifetimes } = parts();
      await recovery.of(row.provider);
      const start = () => startStored({ ...options, warm }, row, context);
      const launched = await changes.begin(row, context, start);
      ports.follow(row.id, launched);
      lifetimes.follow(row, launched);
      return launched;
    },
    launched: (id) => parts().policies.refresh(id),
    ending: (id) => parts().changes.finish(id),
    ended: async (id) => void (await quarantines.sweep(id)),
    async destroy(row) {
      const provider = providerOf(providers, row);
      await recovery.of(provider.id);
      await provider.destroy(row.id);
      await terminals.recordings.remove(row.id);
      await gates.remove(row.id);
      await clones.remove(row.id);
      await parts().changes.forget(row);
    },
  };
}
