import type { z } from "zod";
import { CattlegridError } from "../errors/error.ts";

/**
 * Reads a body by its schema; a missing body is an empty one. Throws REQUEST_INVALID that names the field and
 * repeats no value, since values may be secrets.
 */
export function readBody<S extends z.ZodType>(schema: S, body: unknown): z.infer<S> {
  return read(schema, body ?? {}, "body");
}

/** The same for what follows the question mark. */
export function readQuery<S extends z.ZodType>(schema: S, query: unknown): z.infer<S> {
  return read(schema, { ...(query as object) }, "query");
}

function read<S extends z.ZodType>(schema: S, value: unknown, place: string): z.infer<S> {
  const result = schema.safeParse(value, { reportInput: false });
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describe(issue, place));
  throw new CattlegridError("REQUEST_INVALID", `The request is not valid: ${problems.join("; ")}.`);
}

function describe(issue: z.core.$ZodIssue, place: string): string {
  const where = issue.path.map(String).join(".") || place;
  return `${where}: ${issue.message}`;
}
