import type { SandboxSpecification } from "../../provider.ts";
import type { ResourceBounds } from "./bundle.ts";
import type { UnprotectedPath } from "./keeper/message.ts";
import type { Machine } from "./machine.ts";

export interface FactSources {
  machine: Machine;
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
  const { machine, runtimeVersion, canLimit, specification, bounds, hasCgroup } = sources;
  const { limits } = specification;
  return {
    isolation: "namespaces",
    runtime: runtimeVersion,
    runsAs: machine.isRoot
      ? `host user ${machine.subordinate.first + 1000}, never host root`
      : "your user, without any capability",
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

function notProtected({ hasCgroup, unprotected }: FactSources): string[] {
  const gaps = ["The sandbox shares the host's kernel."];
  if (!hasCgroup) gaps.push("CPU and memory are not limited.");
  for (const { path, why } of unprotected) gaps.push(`${path} ${WHY_UNPROTECTED[why]}`);
  return gaps;
}

const WHY_UNPROTECTED: Readonly<Record<UnprotectedPath["why"], string>> = {
  absent: "is gone; what comes in its place may be the agent's.",
  link: "is a symbolic link and can be replaced.",
};
