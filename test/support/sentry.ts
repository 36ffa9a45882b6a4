import { existsSync } from "node:fs";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import { requireSentry } from "../../src/sandbox/providers/local/runtimes/choice.ts";
import { inspectMachine } from "../../src/sandbox/providers/local/machine.ts";
import { CattlegridError } from "../../src/errors/error.ts";
import type { SandboxProvider, SandboxSpecification } from "../../src/sandbox/provider.ts";
import type { MakeProvider } from "../../src/testing/conformance/sandbox-yard.ts";
import { requirement } from "./requirement.ts";

/** Where scripts/build-runtimes.sh puts one. */
const BUILT = "/var/cache/cattlegrid/runsc";

/** The gVisor that tests run: the one that the environment names, else one that was built for them. */
export const RUNSC = process.env["CATTLEGRID_RUNSC"] ?? BUILT;

export const SENTRY = requirement("a current gVisor", () => {
  if (!existsSync(RUNSC)) {
    return `no runsc in CATTLEGRID_RUNSC, and none built (scripts/build-runtimes.sh)`;
  }
  try {
    requireSentry(inspectMachine(), RUNSC);
    return undefined;
  } catch (error) {
    if (CattlegridError.is(error)) return error.message;
    throw error;
  }
});

/** A local provider all of whose sandboxes run under gVisor. */
export const makeSentryProvider: MakeProvider = (directories) =>
  underSentry(createLocalProvider({ ...directories, programs: { runsc: RUNSC } }));

/** The same provider, all of whose sandboxes run under gVisor. */
export function underSentry(provider: SandboxProvider): SandboxProvider {
  const demand = (specification: SandboxSpecification): SandboxSpecification => ({
    ...specification,
    isolation: "gvisor",
  });
  return {
    id: provider.id,
    declared: { ...provider.declared, warmPool: false },
    layers: provider.layers,
    ...(provider.bases === undefined ? {} : { bases: provider.bases }),
    ...(provider.overlays === undefined ? {} : { overlays: provider.overlays }),
    // No mount can be added to a sandbox of gVisor's.
    capabilities: async (signal) => ({ ...(await provider.capabilities(signal)), warmPool: false }),
    probe: (signal) => provider.probe(signal),
    create: (specification, signal) => provider.create(demand(specification), signal),
    start: (specification, hooks, signal) => provider.start(demand(specification), hooks, signal),
    destroy: (sandboxId) => provider.destroy(sandboxId),
    reap: (keep) => provider.reap(keep),
    close: () => provider.close(),
  };
}
