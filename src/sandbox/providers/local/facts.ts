import type { SandboxSpecification } from "../../provider.ts";
import type { ResourceBounds } from "./bundle/bundle.ts";
import type { UnprotectedPath } from "../../mounts/protection.ts";
import type { Machine } from "./machine.ts";
import type { OciRuntime } from "./runtimes/oci-runtime.ts";

export interface FactSources {
  machine: Machine;
  runtime: OciRuntime;
  runtimeVersion: string;
  /** Whether this account may make cgroups, and whether this sandbox has one. */
  canLimit: boolean;
  specification: SandboxSpecification;
  bounds: ResourceBounds;
  hasCgroup: boolean;
  unprotected: readonly UnprotectedPath[];
}

/** What `inspect` shows of a running sandbox: what holds, and what does not. */
export function factsOf(sources: FactSources): Readonly<Record<string, unknown>> {
  const { runtimeVersion, canLimit, specification, bounds, hasCgroup } = sources;
  const { limits } = specification;
  return {
    isolation: sources.runtime.isolation,
    runtime: runtimeVersion,
    runsAs: runsAs(sources),
    limits: {
      pids: bounds.pids,
      cpus: hasCgroup && limits.cpus !== undefined ? limits.cpus : null,
      memoryBytes: hasCgroup && limits.memoryBytes !== undefined ? limits.memoryBytes : null,
      available: canLimit ? ["cpus", "memory", "pids"] : ["pids"],
      temporaryBytes: bounds.temporaryBytes,
    },
    notProtected: notProtected(sources),
  };
}

function runsAs({ machine, runtime }: FactSources): string {
  const { first } = machine.subordinate;
  if (runtime.isolation === "gvisor") {
    return machine.isRoot
      ? `gVisor as host user ${first}; the agent's files belong to ${first + 1000}`
      : "gVisor as a subordinate user of yours; the agent's files are yours";
  }
  return machine.isRoot
    ? `host user ${first + 1000}, never host root`
    : "your user, without any capability";
}

function notProtected({ hasCgroup, unprotected, runtime, specification }: FactSources): string[] {
  const gaps =
    runtime.isolation === "gvisor" ? [...SENTRY_GAPS] : ["The sandbox shares the host's kernel."];
  if (runtime.isolation === "gvisor" && specification.protectedPaths.length > 0) {
    gaps.push(
      "A protected path that a program of the host replaces is the agent's until the next start.",
    );
  }
  if (!hasCgroup) gaps.push("CPU and memory are not limited.");
  for (const { path, why } of unprotected) gaps.push(`${path} ${WHY_UNPROTECTED[why]}`);
  return gaps;
}

const SENTRY_GAPS = [
  "gVisor makes the sandbox's connections with the host's network stack, which its kernel so exposes to the sandbox.",
  "gVisor's kernel reaches the host's by a few dozen system calls, and the host's files that are given to the sandbox.",
];

const WHY_UNPROTECTED: Readonly<Record<UnprotectedPath["why"], string>> = {
  absent: "is gone; what comes in its place may be the agent's.",
  link: "is a symbolic link and can be replaced.",
};
