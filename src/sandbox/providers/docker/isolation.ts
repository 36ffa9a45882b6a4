import { CattlegridError } from "../../../errors/error.ts";
import type { Isolation, PresentCapabilities } from "../../provider.ts";
import type { EngineFacts } from "./engine.ts";

interface Lacking {
  isolation: Isolation;
  why: string;
  remedy: string;
}

/** The grades that this engine has, and those that it lacks, by the names of its runtimes. */
export function gradesOf(facts: EngineFacts): Pick<PresentCapabilities, "isolation" | "lacking"> {
  return { isolation: ["container"], lacking: [judgeSentry(facts), judgeMachine(facts)] };
}

/** Throws ISOLATION_UNAVAILABLE or PROVIDER_UNSUPPORTED with the remedy for a grade that is not to be had. */
export function requireGrade(isolation: Isolation, facts: EngineFacts): void {
  if (isolation === "container") return;
  const found = gradesOf(facts).lacking?.find((each) => each.isolation === isolation);
  if (found === undefined) {
    throw new CattlegridError("PROVIDER_UNSUPPORTED", `Docker has no isolation ${isolation}.`);
  }
  throw new CattlegridError("ISOLATION_UNAVAILABLE", found.why, { hint: found.remedy });
}

/**
 * SECURITY: gVisor, tried with its runtime of 2026 under Docker 20.10, leaves out the settings of the container's network
 * (loopback over IPv6, which ports are for the privileged), so the gateway cannot be laid into it as it has to be.
 */
function judgeSentry({ Runtimes = {} }: EngineFacts): Lacking {
  const has = Object.hasOwn(Runtimes, "runsc");
  return {
    isolation: "gvisor",
    why: has
      ? "Under Docker gVisor does not apply the settings of a container's network that the gateway needs."
      : "The Docker engine has no runtime called runsc, under which the gateway could not hold a sandbox yet either.",
    remedy: "Use --provider local --isolation gvisor.",
  };
}

/** SECURITY: a virtual machine's network is its own kernel's, where our rules would have to be laid from inside. */
function judgeMachine({ Runtimes = {} }: EngineFacts): Lacking {
  const name = Object.keys(Runtimes).find((each) => /^(io\.containerd\.)?kata/.test(each));
  return {
    isolation: "microvm",
    why:
      name === undefined
        ? "The Docker engine has no runtime of Kata Containers, under which no connection would reach the gateway yet either."
        : `Connections of a machine under ${name} do not reach the gateway yet, and none would leave.`,
    remedy: "Use --isolation container, or --provider local --isolation gvisor.",
  };
}
