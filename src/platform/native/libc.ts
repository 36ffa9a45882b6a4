import { constants } from "node:os";
import koffi from "koffi";
import { CattlegridError } from "../../errors/error.ts";

/** The C library of this process. */
export const libc = koffi.load("libc.so.6");

const setErrno = koffi.errno;

/**
 * Declares a system call that the C library has no wrapper for. The numbers above 423 are the same
 * on every architecture.
 */
export function systemCall<Arguments extends readonly unknown[]>(
  number: number,
  parameters: readonly string[],
): (...values: Arguments) => number {
  const call = libc.func("syscall", "long", ["long", ...parameters]);
  return (...values) => Number(call(number, ...values));
}

/** Gives back what a C function returned, or throws naming `what` and the error number's name. */
export function checkCall(result: number, what: string): number {
  if (result >= 0) return result;
  throw systemError(setErrno(), what);
}

export function systemError(errno: number, what: string): CattlegridError {
  const name = errnoName(errno);
  return new CattlegridError("INTERNAL", `${what}: ${name}`, { details: { errno: name } });
}

/** Whether `error` came from a system call that failed with one of `names`, here or in Node. */
export function hasErrno(error: unknown, ...names: readonly string[]): boolean {
  if (CattlegridError.is(error)) return names.includes(String(error.details["errno"]));
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code !== undefined && names.includes(code);
}

function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno);
  return found?.[0] ?? `error ${errno}`;
}
