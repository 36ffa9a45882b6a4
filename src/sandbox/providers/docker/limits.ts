import { CattlegridError } from "../../../errors/error.ts";
import type { Limit, SandboxSpecification } from "../../provider.ts";
import { DOCKER_CAPABILITIES } from "./capabilities.ts";
import type { EngineFacts } from "./engine.ts";

/** Throws LIMITS_UNAVAILABLE for a limit that this engine would only write down. */
export function requireLimits({ limits }: SandboxSpecification, engine: EngineFacts): void {
  const isMissing =
    (limits.cpus !== undefined && engine.CpuCfsQuota !== true) ||
    (limits.memoryBytes !== undefined && engine.MemoryLimit !== true) ||
    (limits.pids !== undefined && engine.PidsLimit !== true);
  if (!isMissing) return;
  throw new CattlegridError("LIMITS_UNAVAILABLE", "The Docker engine cannot hold these limits.", {
    hint: "Leave out the limits, or give the engine control groups (`docker info` names what is missing).",
  });
}

export function availableLimits(engine: EngineFacts): readonly Limit[] {
  const holds = { cpus: engine.CpuCfsQuota, memory: engine.MemoryLimit, pids: engine.PidsLimit };
  return DOCKER_CAPABILITIES.limits.filter((limit) => holds[limit] === true);
}
