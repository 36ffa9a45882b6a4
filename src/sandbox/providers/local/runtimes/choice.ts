import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { CattlegridError } from "../../../../errors/error.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { findSystemProgram, isExecutable } from "../../../../platform/system-program.ts";
import type { Machine } from "../machine.ts";
import type { FoundRuntime } from "../residence.ts";
import { CRUN } from "./crun.ts";
import { RUNC } from "./runc.ts";
import { RUNSC } from "./runsc.ts";

/** As many as the agent's numbers inside need. */
const RANGE_MIN = 65_536;

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
  return [first, ...others.filter(({ runtime }) => !runtime.needsRange || hasOwnRange(machine))];
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

/** An ordinary user's own id is the agent's; the runtime itself then needs others to run under. */
export function requireRange(machine: Machine, what: string): void {
  if (hasOwnRange(machine)) return;
  const { username } = userInfo();
  const message = `${what} needs subordinate ids of the account ${username}, and there are none.`;
  throw new CattlegridError("ISOLATION_UNAVAILABLE", message, {
    hint: `Give it some: \`sudo apt-get install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}\`.`,
  });
}

function hasOwnRange({ isRoot }: Machine): boolean {
  if (isRoot) return true;
  const { username, uid } = userInfo();
  const files = ["/etc/subuid", "/etc/subgid"];
  const isGiven = files.every((file) => hasRange(readIfPresent(file), [username, String(uid)]));
  return isGiven && findSystemProgram("newuidmap") !== undefined;
}

export function hasRange(text: string, owners: readonly string[]): boolean {
  return text.split("\n").some((line) => {
    const [owner = "", , count] = line.trim().split(":");
    return owners.includes(owner) && Number(count) >= RANGE_MIN;
  });
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES")) return "";
    throw error;
  }
}
