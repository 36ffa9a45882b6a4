import { constants } from "node:os";
import type { ProcessEnding } from "../process.ts";

/** A shell reports 128 + N for signal N; what a program itself returns above 128 reads alike. */
export function endingOf(code: number): ProcessEnding {
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
  return signal === undefined || code <= 128
    ? { kind: "exited", code }
    : { kind: "signalled", code, signal };
}
