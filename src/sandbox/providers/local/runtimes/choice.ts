import { CattlegridError } from "../../../../errors/error.ts";
import { findSystemProgram, isExecutable } from "../../../../platform/system-program.ts";
import type { Machine } from "../machine.ts";
import type { FoundRuntime } from "../residence.ts";
import { findOwnRange, requireRange } from "../subordinate-ids.ts";
import { CRUN } from "./crun.ts";
import { RUNC } from "./runc.ts";
import { RUNSC } from "./runsc.ts";

/** Programs that somebody named; the others are looked for where programs of the system are. */
export interface NamedPrograms {
  crun?: string;
  runc?: string;
  runsc?: string;
}

/**
 * What can run sandboxes of the grade `namespaces`, crun before runc: those that were named, else those that are found.
 * Fails with RUNTIME_MISSING where there is none, and with ISOLATION_UNAVAILABLE where this account cannot use it.
 */
export function findContainerRuntimes(
  machine: Machine,
  named: NamedPrograms,
): readonly [FoundRuntime, ...FoundRuntime[]] {
  const isNamed = named.crun !== undefined || named.runc !== undefined;
  const found = [CRUN, RUNC].flatMap((runtime) => {
    const program = isNamed ? named[runtime.name] : findSystemProgram(runtime.name);
    return program === undefined ? [] : [{ runtime, program }];
  });
  const broken = found.find(({ program }) => !isExecutable(program));
  if (broken !== undefined) {
    const message = `${broken.program}, which is named as ${broken.runtime.name}, cannot be executed.`;
    throw new CattlegridError("RUNTIME_MISSING", message);
  }
  const [first, ...others] = found;
  if (first === undefined) {
    const message = "No OCI runtime is installed: neither crun nor runc.";
    throw new CattlegridError("RUNTIME_MISSING", message);
  }
  if (first.runtime.needsRange) requireRange(machine, first.runtime.name);
  const hasRange = machine.isRoot || findOwnRange() !== undefined;
  return [first, ...others.filter(({ runtime }) => !runtime.needsRange || hasRange)];
}

/**
 * The same for an ordinary user with subordinate ids, on root file systems that have users of their own. The keeper mounts
 * the overlays: what their work directories hold would otherwise be a subordinate id's, which the user could not remove.
 */
export function findRangedRuntimes(
  ...given: Parameters<typeof findContainerRuntimes>
): readonly [FoundRuntime, ...FoundRuntime[]] {
  const [first, ...others] = findContainerRuntimes(...given);
  const adapt = ({ runtime, program }: FoundRuntime): FoundRuntime => ({
    runtime: { ...runtime, needsRange: true, overlays: "keeper" },
    program,
  });
  return [adapt(first), ...others.map(adapt)];
}

/** Fails with ISOLATION_UNAVAILABLE and the remedy where gVisor is not there, or cannot be under this account. */
export function requireSentry(machine: Machine, wanted: string | undefined): FoundRuntime {
  const program = wanted ?? findSystemProgram("runsc");
  if (program === undefined) {
    const message = "gVisor is not installed: there is no program runsc.";
    throw new CattlegridError("ISOLATION_UNAVAILABLE", message, { hint: SENTRY_REMEDY });
  }
  if (!isExecutable(program)) {
    const message = `${program}, which CATTLEGRID_RUNSC names, cannot be executed.`;
    throw new CattlegridError("ISOLATION_UNAVAILABLE", message, { hint: SENTRY_REMEDY });
  }
  requireRange(machine, "gVisor");
  return { runtime: RUNSC, program };
}

export const SENTRY_REMEDY =
  "Install a current gVisor and name its program in CATTLEGRID_RUNSC before the daemon starts: `go install gvisor.dev/gvisor/runsc@latest`. Debian 12's package is too old.";

export const CONTAINER_REMEDY =
  "Install crun: `sudo apt-get install crun`. Of runc, version 1.3.3 and later can hold a sandbox.";
