import type { ExecTarget } from "./exec-target.ts";
import { GuestGroup } from "../guest-group.ts";
import { findProcessGroup, type ProgramGroup } from "./process-group.ts";

/** Finds what a client of the runtime has started, by the number that the runtime told. */
export function findProgramGroup(
  target: ExecTarget,
  clientPid: number,
  reported: number,
): ProgramGroup | undefined {
  if (target.runtime.isolation === "gvisor") return new GuestGroup(target, reported);
  return findProcessGroup(clientPid, reported);
}
