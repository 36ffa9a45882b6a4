import type { FilterInstruction } from "../../../../platform/native/system-call-filter.ts";

const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_ANY_BIT = 0x45;
const RETURN = 0x06;

export const ALLOW = 0x7fff0000;
const REFUSE = 0x00050000;

/** Where the kernel's description of a call has them; of each argument the low 32 bits. */
export const NUMBER_AT = 0;
export const ARCHITECTURE_AT = 4;
const ARGUMENTS_AT = 16;

/** How many instructions are passed over. */
interface Branches {
  yes: number;
  no: number;
}

export function argumentAt(index: number): number {
  return ARGUMENTS_AT + 8 * index;
}

export function load(offset: number): FilterInstruction {
  return { code: LOAD, jumpIfTrue: 0, jumpIfFalse: 0, value: offset };
}

export function ifEqual(value: number, to: Branches): FilterInstruction {
  return { code: JUMP_EQUAL, jumpIfTrue: to.yes, jumpIfFalse: to.no, value };
}

export function ifAnyBit(value: number, to: Branches): FilterInstruction {
  return { code: JUMP_ANY_BIT, jumpIfTrue: to.yes, jumpIfFalse: to.no, value };
}

export function answer(value: number): FilterInstruction {
  return { code: RETURN, jumpIfTrue: 0, jumpIfFalse: 0, value };
}

export function refuseWith(errno: number): FilterInstruction {
  return answer(REFUSE + errno);
}
