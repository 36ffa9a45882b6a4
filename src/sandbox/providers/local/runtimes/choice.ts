import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { CattlegridError } from "../../../../errors/error.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { findTool, isExecutable, type Machine } from "../machine.ts";
import type { FoundRuntime } from "../residence.ts";
import { CRUN } from "./crun.ts";
import { RUNSC } from "./runsc.ts";

/** As many as the agent's numbers inside need. */
const RANGE_MIN = 65_536;

/** Fails with RUNTIME_MISSING. */
export function findContainerRuntime(): FoundRuntime {
  const crun = findTool("crun");
  if (crun !== undefined) return { runtime: CRUN, program: crun };
  throw new CattlegridError("RUNTIME_MISSING", "The OCI runtime crun is not installed.");
}

/** Fails with ISOLATION_UNAVAILABLE and the remedy where gVisor is not there, or cannot be under this account. */
export function requireSentry(machine: Machine, wanted: string | undefined): FoundRuntime {
  const program = wanted ?? findTool("runsc");
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

/** An ordinary user's own id is the agent's; the runtime itself then needs others to run under. */
export function requireRange({ isRoot }: Machine, what: string): void {
  if (isRoot) return;
  const { username, uid } = userInfo();
  const files = ["/etc/subuid", "/etc/subgid"];
  const isGiven = files.every((file) => hasRange(readIfPresent(file), [username, String(uid)]));
  if (isGiven && findTool("newuidmap") !== undefined) return;
  const message = `${what} needs subordinate ids of the account ${username}, and there are none.`;
  throw new CattlegridError("ISOLATION_UNAVAILABLE", message, {
    hint: `Give it some: \`sudo apt-get install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}\`.`,
  });
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
