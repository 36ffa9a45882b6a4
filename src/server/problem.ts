import { ERROR_CODES } from "../errors/codes.ts";
import { asCattlegridError, CattlegridError } from "../errors/error.ts";
import type { Problem } from "../protocol/problem.ts";

/** The one place where an error becomes what goes over the wire. */
export function toProblem(thrown: unknown): Problem {
  const error = asCattlegridError(fromFramework(thrown));
  const definition = ERROR_CODES[error.code];
  const isOurs = definition.fault === "internal";
  return {
    type: "about:blank",
    title: error.code.toLowerCase().replaceAll("_", " "),
    status: definition.httpStatus,
    code: error.code,
    detail: error.message,
    hint: error.hint,
    fault: definition.fault,
    ...(Object.keys(error.details).length === 0 || isOurs ? {} : { details: error.details }),
  };
}

/** What fastify itself refuses: a body that is no JSON, too large, of another type. */
function fromFramework(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || CattlegridError.is(thrown)) return thrown;
  const { statusCode } = thrown as { statusCode?: unknown };
  if (typeof statusCode !== "number" || statusCode < 400 || statusCode >= 500) return thrown;
  return new CattlegridError("REQUEST_INVALID", thrown.message, { cause: thrown });
}
