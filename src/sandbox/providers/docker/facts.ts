import type { UnprotectedPath } from "../../mounts/protection.ts";
import type { Limit, SandboxSpecification } from "../../provider.ts";
import { DOCKER_CAPABILITIES } from "./capabilities.ts";
import { PIDS_DEFAULT } from "./container-plan.ts";
import type { Capture } from "./capture-way.ts";
import type { EngineFacts } from "./engine.ts";
import type { GuestAccount } from "./guest-account.ts";

export interface FactSources {
  specification: SandboxSpecification;
  engine: EngineFacts;
  image: { name: string; id: string };
  account: GuestAccount;
  containerId: string;
  way: Capture["way"];
  temporaryBytes: number;
  unprotected: readonly UnprotectedPath[];
}

const WAYS: Readonly<Record<Capture["way"], string>> = {
  entered:
    "enforced: the engine's machine is this one, and its sockets were made by entering the network",
  helper: "enforced: a short-lived container made the sockets in the network and handed them out",
};

/** What `inspect` shows of a running sandbox: what holds, and what does not. */
export function factsOf(sources: FactSources): Readonly<Record<string, unknown>> {
  const { specification, engine, image, account } = sources;
  const { limits } = specification;
  return {
    isolation: "container",
    runtime: `Docker ${engine.ServerVersion}`,
    container: sources.containerId.slice(0, 12),
    image: `${image.name} (${image.id.replace("sha256:", "").slice(0, 12)})`,
    runsAs: `host user ${account.uid}, without any capability`,
    egress: WAYS[sources.way],
    limits: {
      pids: engine.PidsLimit === true ? (limits.pids ?? PIDS_DEFAULT) : null,
      cpus: limits.cpus ?? null,
      memoryBytes: limits.memoryBytes ?? null,
      available: availableLimits(engine),
      temporaryBytes: sources.temporaryBytes,
    },
    notProtected: notProtected(sources),
  };
}

export function availableLimits(engine: EngineFacts): readonly Limit[] {
  const holds = { cpus: engine.CpuCfsQuota, memory: engine.MemoryLimit, pids: engine.PidsLimit };
  return DOCKER_CAPABILITIES.limits.filter((limit) => holds[limit] === true);
}

function notProtected({ specification, account, unprotected }: FactSources): readonly string[] {
  const gaps = [
    "The sandbox shares the host's kernel.",
    `Its programs are user ${account.uid} of the host: Docker gives it no ids of its own.`,
    "Programs inside can read where the host keeps the sandbox's files.",
  ];
  if (specification.protectedPaths.length > 0) {
    gaps.push(
      "A protected path that a program of the host replaces is the agent's until the next start.",
    );
  }
  if (specification.limits.cpus === undefined || specification.limits.memoryBytes === undefined) {
    gaps.push("CPU or memory is not limited.");
  }
  for (const { path, why } of unprotected) gaps.push(`${path} ${WHY_UNPROTECTED[why]}`);
  return gaps;
}

const WHY_UNPROTECTED: Readonly<Record<UnprotectedPath["why"], string>> = {
  absent: "is gone; what comes in its place may be the agent's.",
  link: "is a symbolic link and can be replaced.",
};
