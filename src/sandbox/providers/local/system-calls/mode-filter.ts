import { constants } from "node:os";
import { assert } from "../../../../errors/error.ts";
import type { FilterInstruction } from "../../../../platform/native/system-call-filter.ts";
import {
  ALLOW,
  answer,
  ARCHITECTURE_AT,
  argumentAt,
  ifAnyBit,
  ifEqual,
  load,
  NUMBER_AT,
  refuseWith,
} from "./filter-instructions.ts";

const SET_ID_BITS = 0o6000;
/** O_CREAT and what makes O_TMPFILE: without one of them a mode means nothing. */
const MAKING_FLAGS = 0o100 | 0o20000000;

interface Call {
  number: number;
  mode: number;
  flags?: number;
}

interface Architecture {
  id: number;
  calls: readonly Call[];
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  x64: {
    id: 0xc000003e,
    calls: [
      { number: 90, mode: 1 }, // chmod
      { number: 91, mode: 1 }, // fchmod
      { number: 268, mode: 2 }, // fchmodat
      { number: 452, mode: 2 }, // fchmodat2
      { number: 85, mode: 1 }, // creat
      { number: 133, mode: 1 }, // mknod
      { number: 259, mode: 2 }, // mknodat
      { number: 2, mode: 2, flags: 1 }, // open
      { number: 257, mode: 3, flags: 2 }, // openat
    ],
  },
  arm64: {
    id: 0xc00000b7,
    calls: [
      { number: 52, mode: 1 }, // fchmod
      { number: 53, mode: 2 }, // fchmodat
      { number: 452, mode: 2 }, // fchmodat2
      { number: 33, mode: 2 }, // mknodat
      { number: 56, mode: 3, flags: 2 }, // openat
    ],
  },
};

/**
 * What gVisor itself may not do for a program inside: give a file of the host a set-user-id or set-group-id bit. A file
 * of the workspace belongs outside to the user, as root to root.
 *
 * SECURITY: comparisons are of the low 32 bits, which is what the kernel reads of a mode. Calls of another architecture
 * are refused. `openat2` has its mode in memory; gVisor never passes it one from inside.
 */
export function modeFilter(architecture: string = process.arch): readonly FilterInstruction[] {
  const found = ARCHITECTURES[architecture];
  assert(found !== undefined, `no filter for the architecture ${architecture}`);
  return [
    load(ARCHITECTURE_AT),
    ifEqual(found.id, { yes: 1, no: 0 }),
    refuseWith(constants.errno.EPERM),
    ...found.calls.flatMap(check),
    answer(ALLOW),
  ];
}

function check({ number, mode, flags }: Call): readonly FilterInstruction[] {
  const judge = [
    ...(flags === undefined
      ? []
      : [load(argumentAt(flags)), ifAnyBit(MAKING_FLAGS, { yes: 1, no: 0 }), answer(ALLOW)]),
    load(argumentAt(mode)),
    ifAnyBit(SET_ID_BITS, { yes: 0, no: 1 }),
    refuseWith(constants.errno.EPERM),
    answer(ALLOW),
  ];
  return [load(NUMBER_AT), ifEqual(number, { yes: 0, no: judge.length }), ...judge];
}
