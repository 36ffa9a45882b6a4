import { CattlegridError } from "../../../errors/error.ts";
import type { Isolation, PresentCapabilities } from "../../provider.ts";
import type { EngineFacts } from "./engine.ts";

interface Grade {
  isolation: Isolation;
  /** Undefined: the engine's own default. */
  runtime: string | undefined;
}

const SENTRY = "runsc";
const SENTRY_REMEDY =
  'Install gVisor\'s runsc and add it to /etc/docker/daemon.json: `"runtimes": {"runsc": {"path": "/usr/local/bin/runsc", "runtimeArgs": ["--network=host"]}}`, then restart Docker.';

/** The grades that this engine has, by the names of its runtimes, and those it lacks. */
export function gradesOf(facts: EngineFacts): Pick<PresentCapabilities, "isolation" | "lacking"> {
  const judged = [judgeSentry(facts), judgeMachine(facts)];
  return {
    isolation: [
      "container",
      ...judged.flatMap((each) => ("runtime" in each ? [each.isolation] : [])),
    ],
    lacking: judged.flatMap((each) => ("runtime" in each ? [] : [each])),
  };
}

/** The engine's runtime for a grade. Throws ISOLATION_UNAVAILABLE or PROVIDER_UNSUPPORTED with the remedy. */
export function runtimeFor(isolation: Isolation, facts: EngineFacts): string | undefined {
  if (isolation === "container") return undefined;
  const judged = [judgeSentry(facts), judgeMachine(facts)].find(
    (each) => each.isolation === isolation,
  );
  if (judged === undefined) {
    const message = `Docker has no isolation ${isolation}.`;
    throw new CattlegridError("PROVIDER_UNSUPPORTED", message);
  }
  if ("runtime" in judged) return judged.runtime;
  throw new CattlegridError("ISOLATION_UNAVAILABLE", judged.why, { hint: judged.remedy });
}

type Judged = Grade | { isolation: Isolation; why: string; remedy: string };

/** SECURITY: with a network of gVisor's own nothing inside would reach the gateway, so that is a grade we do not have. */
function judgeSentry({ Runtimes = {} }: EngineFacts): Judged {
  const isolation = "gvisor";
  const found = Runtimes[SENTRY];
  if (found === undefined) {
    const why = `The Docker engine has no runtime called ${SENTRY}.`;
    return { isolation, why, remedy: SENTRY_REMEDY };
  }
  if (found.runtimeArgs?.some((each) => /^--?network=host$/.test(each)) === true) {
    return { isolation, runtime: SENTRY };
  }
  const why = `Docker's runtime ${SENTRY} is not given --network=host, without which no connection reaches the gateway.`;
  return { isolation, why, remedy: SENTRY_REMEDY };
}

/** A virtual machine's network is its own kernel's, where our rules would have to be laid from inside. */
function judgeMachine({ Runtimes = {} }: EngineFacts): Judged {
  const name = Object.keys(Runtimes).find((each) => /^(io\.containerd\.)?kata/.test(each));
  if (name === undefined) {
    return {
      isolation: "microvm",
      why: "The Docker engine has no runtime of Kata Containers.",
      remedy: "Use --isolation container, or gvisor where the engine has runsc.",
    };
  }
  return {
    isolation: "microvm",
    why: `Connections of a machine under ${name} do not reach the gateway yet, and none would leave.`,
    remedy: "Use --isolation container, or gvisor where the engine has runsc.",
  };
}
