import type { z } from "zod";
import { CattlegridError } from "../errors/error.ts";

/**
 * Reads a body by its schema; a missing body is an empty one. Throws REQUEST_INVALID that names the field and
 * repeats no value, since values may be secrets.
 */
export function readBody<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
  const read = schema.safeParse(body ?? {}, { reportInput: false });
  if (read.success) return read.data;
  const problems = read.error.issues.map(describe);
  throw new CattlegridError("REQUEST_INVALID", `The request is not valid: ${problems.join("; ")}.`);
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.map(String).join(".") || "body";
  return `${where}: ${issue.message}`;
}
