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
export const makeSentryProvider: MakeProvider = (directories) => {
  const local = createLocalProvider({ ...directories, programs: { runsc: RUNSC } });
  const demand = (specification: SandboxSpecification): SandboxSpecification => ({
    ...specification,
    isolation: "gvisor",
  });
  const provider: SandboxProvider = {
    id: local.id,
    declared: local.declared,
    layers: local.layers,
    ...(local.overlays === undefined ? {} : { overlays: local.overlays }),
    capabilities: (signal) => local.capabilities(signal),
    probe: (signal) => local.probe(signal),
    create: (specification, signal) => local.create(demand(specification), signal),
    start: (specification, hooks, signal) => local.start(demand(specification), hooks, signal),
    destroy: (sandboxId) => local.destroy(sandboxId),
    reap: (keep) => local.reap(keep),
    close: () => local.close(),
  };
  return provider;
};
