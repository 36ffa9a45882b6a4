import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import type { Route } from "../protocol/route.ts";
import { API_VERSION } from "../protocol/version.ts";

/**
 * What of a request a daemon of this minor version can be sent. An operation or a field that it does not have is refused
 * here, before anything is sent; a field that is declared `"x-older": "omit"` is left out instead.
 */
export function fitRequest(
  { route, name, minor }: { route: Route; name: string; minor: number },
  body: unknown,
): unknown {
  if (route.since > minor) throw tooOld(`the operation ${name}`, route.since, minor);
  return route.body === undefined ? body : fitValue(route.body, body, minor);
}

function fitValue(schema: z.ZodType, value: unknown, minor: number): unknown {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject) || typeof value !== "object" || value === null) return value;
  const shape = inner.shape as Record<string, z.ZodType>;
  const fitted = Object.entries(value).flatMap(([key, field]) => {
    const declared = shape[key];
    if (declared === undefined || field === undefined) return [[key, field]];
    const { "x-since": since, "x-older": older } = declared.meta() ?? {};
    if (typeof since !== "number" || since <= minor) {
      return [[key, fitValue(declared, field, minor)]];
    }
    if (older === "omit") return [];
    throw tooOld(`the field ${key}`, since, minor);
  });
  return Object.fromEntries(fitted);
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? unwrap(schema.unwrap() as z.ZodType)
    : schema;
}

function tooOld(what: string, since: number, minor: number): CattlegridError {
  const { major } = API_VERSION;
  const message = `The daemon speaks API ${major}.${minor}, and ${what} came with ${major}.${since}.`;
  return new CattlegridError("DAEMON_VERSION_MISMATCH", message);
}
