import { ERROR_CODES } from "../errors/codes.ts";
import type { CattlegridError } from "../errors/error.ts";
import { exitCodeOfSignal, type ShellSignal } from "./signals.ts";

/** Of an error that ended a verb. `signal` is what the verb was told to end by, if anything. */
export function exitCodeOf(error: CattlegridError, signal?: ShellSignal): number {
  if (error.code === "INTERRUPTED" && signal !== undefined) return exitCodeOfSignal(signal);
  return ERROR_CODES[error.code].exitCode;
}
