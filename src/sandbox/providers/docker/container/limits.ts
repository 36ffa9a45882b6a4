import { CattlegridError } from "../../../../errors/error.ts";
import type { Isolation, Limit, SandboxSpecification } from "../../../provider.ts";
import { DOCKER_CAPABILITIES } from "../capabilities.ts";
import type { EngineFacts } from "../engine/engine.ts";

/** Which of them this engine holds for a sandbox of one grade. */
export function availableLimits(engine: EngineFacts, isolation?: Isolation): readonly Limit[] {
  const holds = {
    cpus: engine.CpuCfsQuota,
    memory: engine.MemoryLimit,
    // What a control group counts of gVisor are its own threads, of which it needs more the more there is to do.
    pids: engine.PidsLimit === true && isolation !== "gvisor",
  };
  return DOCKER_CAPABILITIES.limits.filter((limit) => holds[limit] === true);
}

/** Throws LIMITS_UNAVAILABLE for a limit that this engine would only write down. */
export function requireLimits(
  { limits, isolation }: SandboxSpecification,
  engine: EngineFacts,
): void {
  const available = availableLimits(engine, isolation);
  const asked = { cpus: limits.cpus, memory: limits.memoryBytes, pids: limits.pids };
  const missing = DOCKER_CAPABILITIES.limits.filter(
    (limit) => asked[limit] !== undefined && !available.includes(limit),
  );
  if (missing.length === 0) return;
  const message = `The Docker engine cannot hold a limit of ${missing.join(", ")} here.`;
  throw new CattlegridError("LIMITS_UNAVAILABLE", message, {
    hint: "Leave out the limits, or give the engine control groups (`docker info` names what is missing).",
  });
}
