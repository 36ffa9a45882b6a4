import { ERROR_CODES } from "../errors/codes.ts";
import { asCattlegridError } from "../errors/error.ts";
import type { Problem } from "../protocol/problem.ts";
import { redact } from "./redaction.ts";

export interface SessionFailure {
  problem: Problem;
  /** What the command line exits with. */
  exitCode: number;
}

/** Why a session failed, as its last event tells it; without any of the secrets it was given. */
export function describeFailure(
  thrown: unknown,
  secrets: Readonly<Record<string, string>>,
): SessionFailure {
  const error = asCattlegridError(thrown);
  const { exitCode, httpStatus } = ERROR_CODES[error.code];
  const details = JSON.parse(
    redact(JSON.stringify(error.details), secrets),
  ) as typeof error.details;
  const problem: Problem = {
    type: "about:blank",
    title: error.code.toLowerCase().replaceAll("_", " "),
    status: httpStatus,
    code: error.code,
    detail: redact(error.message, secrets),
    hint: error.hint,
    fault: error.fault,
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
  return { problem, exitCode };
}
