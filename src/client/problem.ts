import { ERROR_CODES, type ErrorCode } from "../errors/codes.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Problem } from "../protocol/problem.ts";
import { API_VERSION } from "../protocol/version.ts";

/** An absent header says nothing; another major means that neither side understands the other. */
export function checkApiVersion(header: string | string[] | undefined): void {
  const text = String(header ?? API_VERSION.major);
  if (Number.parseInt(text, 10) === API_VERSION.major) return;
  const message = `The daemon speaks version ${text} of the API, this program version ${API_VERSION.major}.`;
  throw new CattlegridError("DAEMON_VERSION_MISMATCH", message);
}

/** The minor version in that header; 0 when there is none. */
export function readMinor(header: string | string[] | undefined): number {
  return Number(/^\d+\.(\d+)$/.exec(String(header))?.[1] ?? 0);
}

/** Reads an `application/problem+json` document as the error it tells of. */
export function readProblem(text: string, request: string, status: number): CattlegridError {
  const problem = parseProblem(text);
  if (problem !== undefined) return toError(problem);
  return new CattlegridError("INTERNAL", `The daemon answered ${request} with status ${status}.`);
}

/** A newer daemon may tell of a code that this program does not know: it is then shown in the text. */
export function toError({ code, detail, hint, details }: Problem): CattlegridError {
  const known = Object.hasOwn(ERROR_CODES, code);
  const message = known ? detail : `${detail} (${code})`;
  const facts = details === undefined ? {} : { details };
  return new CattlegridError(known ? (code as ErrorCode) : "INTERNAL", message, { hint, ...facts });
}

function parseProblem(text: string): Problem | undefined {
  try {
    const value = JSON.parse(text) as Partial<Problem> | null;
    return typeof value?.code === "string" ? (value as Problem) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
