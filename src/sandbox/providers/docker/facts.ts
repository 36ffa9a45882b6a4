import type { UnprotectedPath } from "../../mounts/protection.ts";
import type { SandboxSpecification } from "../../provider.ts";
import { PIDS_DEFAULT } from "./container/container-plan.ts";
import type { CaptureWay } from "./capture/way.ts";
import type { EngineFacts } from "./engine/engine.ts";
import type { GuestAccount } from "./container/guest-account.ts";
import { availableLimits } from "./container/limits.ts";

export interface FactSources {
  specification: SandboxSpecification;
  engine: EngineFacts;
  /** Of the engine's; undefined for the one that it has by itself. */
  runtime: string | undefined;
  image: { name: string; id: string };
  account: GuestAccount;
  containerId: string;
  way: CaptureWay;
  temporaryBytes: number;
  unprotected: readonly UnprotectedPath[];
}

const WAYS: Readonly<Record<CaptureWay, string>> = {
  entered:
    "enforced: the engine's machine is this one, and its sockets were made by entering the network",
  helper: "enforced: a short-lived container made the sockets in the network and handed them out",
  relay:
    "enforced: a relay container holds the sockets in the network and carries what lands there to the gateway",
};

/** What `inspect` shows of a running sandbox: what holds, and what does not. */
export function factsOf(sources: FactSources): Readonly<Record<string, unknown>> {
  const { specification, engine, image, account, runtime } = sources;
  const { limits } = specification;
  const available = availableLimits(engine, specification.isolation);
  return {
    isolation: specification.isolation ?? "container",
    runtime: `Docker ${engine.ServerVersion}${runtime === undefined ? "" : `, ${runtime}`}`,
    container: sources.containerId.slice(0, 12),
    image: `${specification.base?.id ?? image.name} (${image.id.replace("sha256:", "").slice(0, 12)})`,
    runsAs: `host user ${account.uid}, without any capability`,
    egress: WAYS[sources.way],
    limits: {
      pids: available.includes("pids") ? (limits.pids ?? PIDS_DEFAULT) : null,
      cpus: limits.cpus ?? null,
      memoryBytes: limits.memoryBytes ?? null,
      available,
      temporaryBytes: sources.temporaryBytes,
    },
    notProtected: notProtected(sources),
  };
}

function notProtected({ specification, account, unprotected }: FactSources): readonly string[] {
  const gaps = [
    ...(specification.isolation === "gvisor"
      ? ["Processes are not limited by number: gVisor's own threads would count as well."]
      : ["The sandbox shares the host's kernel."]),
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
