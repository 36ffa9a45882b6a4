import { CattlegridError } from "../../../../errors/error.ts";
import type { Isolation, PresentCapabilities, SandboxSpecification } from "../../../provider.ts";
import type { EngineFacts } from "../engine/engine.ts";

/**
 * SECURITY: what gVisor has to be told, once, where the engine learns of it. `network`: connections are made with the sockets of the
 * container's network, where the gateway's rules are; with a network of its own none would reach it. `directfs`: with it, programs
 * rename protected paths' parents from outside of the mounts that protect them. `oci-seccomp`: without it, our filter is not laid.
 */
const SENTRY_ARGUMENTS = ["--network=host", "--directfs=false", "--oci-seccomp"];
const SENTRY_NAME = "runsc";

const SENTRY_REMEDY = `Register a current gVisor in /etc/docker/daemon.json, and restart the engine: "runtimes": {"${SENTRY_NAME}": {"path": "/usr/local/bin/runsc", "runtimeArgs": ${JSON.stringify(SENTRY_ARGUMENTS)}}}.`;

type Grade = { runtime: string | undefined } | { why: string; remedy: string };

/** By the names of the engine's runtimes; the default one first. */
function judgeGrades(facts: EngineFacts): readonly [Isolation, Grade][] {
  return [
    ["container", { runtime: undefined }],
    ["gvisor", judgeSentry(facts)],
    ["microvm", judgeMachine(facts)],
  ];
}

/** The grades that this engine has, and those that it lacks. */
export function gradesOf(facts: EngineFacts): Pick<PresentCapabilities, "isolation" | "lacking"> {
  const judged = judgeGrades(facts);
  return {
    isolation: judged.flatMap(([isolation, grade]) => ("why" in grade ? [] : [isolation])),
    lacking: judged.flatMap(([isolation, grade]) =>
      "why" in grade ? [{ isolation, ...grade }] : [],
    ),
  };
}

/**
 * The name of the runtime of a grade; undefined for the engine's own. Throws ISOLATION_UNAVAILABLE or PROVIDER_UNSUPPORTED
 * with the remedy for one that is not to be had.
 */
export function runtimeOf(
  { isolation = "container", hasRoot }: Pick<SandboxSpecification, "isolation" | "hasRoot">,
  facts: EngineFacts,
): string | undefined {
  const grade = new Map(judgeGrades(facts)).get(isolation);
  if (grade === undefined) {
    throw new CattlegridError("PROVIDER_UNSUPPORTED", `Docker has no isolation ${isolation}.`);
  }
  if ("runtime" in grade) {
    if (hasRoot === true && isolation === "gvisor") requireVisibleWrites(facts);
    return grade.runtime;
  }
  throw new CattlegridError("ISOLATION_UNAVAILABLE", grade.why, { hint: grade.remedy });
}

/** By itself gVisor keeps what is written to a root file system to itself, and the engine would make an image without it. */
function requireVisibleWrites({ Runtimes = {} }: EngineFacts): void {
  const given = Runtimes[SENTRY_NAME]?.runtimeArgs ?? [];
  if (given.some((each) => each.replace(/^-+/, "--") === "--overlay2=none")) return;
  const message = `The Docker engine starts ${SENTRY_NAME} without --overlay2=none, and what steps of setup write as root would be lost.`;
  throw new CattlegridError("ISOLATION_UNAVAILABLE", message, {
    hint: 'Add "--overlay2=none" to its `runtimeArgs` in /etc/docker/daemon.json, and restart the engine.',
  });
}

function judgeSentry({ Runtimes = {} }: EngineFacts): Grade {
  const found = Runtimes[SENTRY_NAME];
  if (found === undefined) {
    const why = `The Docker engine has no runtime called ${SENTRY_NAME}.`;
    return { why, remedy: SENTRY_REMEDY };
  }
  const given = new Set((found.runtimeArgs ?? []).map((each) => each.replace(/^-+/, "--")));
  const missing = SENTRY_ARGUMENTS.filter((each) => !given.has(each) && !given.has(`${each}=true`));
  if (missing.length === 0) return { runtime: SENTRY_NAME };
  const why = `The Docker engine starts ${SENTRY_NAME} without ${missing.join(" ")}, and the gateway or the protected paths would not hold.`;
  return { why, remedy: SENTRY_REMEDY };
}

/** SECURITY: a virtual machine's network is its own kernel's, where our rules would have to be laid from inside. */
function judgeMachine({ Runtimes = {} }: EngineFacts): Grade {
  const name = Object.keys(Runtimes).find((each) => /^(io\.containerd\.)?kata/.test(each));
  return {
    why:
      name === undefined
        ? "The Docker engine has no runtime of Kata Containers, under which no connection would reach the gateway yet either."
        : `Connections of a machine under ${name} do not reach the gateway yet, and none would leave.`,
    remedy: "Use --isolation gvisor.",
  };
}
