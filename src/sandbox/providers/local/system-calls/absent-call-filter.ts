import { constants } from "node:os";
import type { FilterInstruction } from "../../../../platform/native/system-call-filter.ts";
import { ALLOW, answer, ifEqual, load, NUMBER_AT, refuseWith } from "./filter-instructions.ts";

/** The same number on every architecture. */
const OPENAT2 = 437;

/**
 * What runc must not find from its first moment on, since the sandbox's own filter takes it away at the last: runc takes
 * a call that worked and then does not for an attack on /proc, while it has another way where there never was one.
 *
 * SECURITY: nothing rests on this. The whole filter of a sandbox is laid by runc itself, over the first process and over
 * each later one; without this one runc would start nothing.
 */
export function absentCallFilter(): readonly FilterInstruction[] {
  return [
    load(NUMBER_AT),
    ifEqual(OPENAT2, { yes: 0, no: 1 }),
    refuseWith(constants.errno.ENOSYS),
    answer(ALLOW),
  ];
}
