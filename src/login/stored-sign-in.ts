import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import type { ProfilePlace } from "./profile-name.ts";

const FORM = 1;

const contentsSchema = z.record(z.string(), z.base64());

const storedSchema = z.object({
  form: z.literal(FORM),
  owner: z.string(),
  agent: z.string(),
  profile: z.string(),
  /** Who signed in, as the agent says; null where it does not. */
  account: z.string().nullable(),
  /** Of the agent's service, where others than its default ones are needed. */
  regions: z.array(z.string()).optional(),
  savedAt: z.string(),
  /** Grows with every change, so that whoever has a copy knows whether it is today's. */
  revision: z.int().positive(),
  /** Of the part that ends by itself, where it does. */
  expiresAt: z.string().optional(),
  /** Since when the agent's service refuses it. */
  refusedAt: z.string().optional(),
  /** The files by their path in the sign-in's directory. SECURITY: renews the sign-in, and so is in no sandbox of a user's. */
  whole: contentsSchema,
  /** What sandboxes get instead. */
  lent: contentsSchema,
  /** The rows of a database that differ between the two. */
  lentValues: z.record(z.string(), z.string()).optional(),
});
/** A sign-in as the vault keeps it. */
export type StoredSignIn = z.infer<typeof storedSchema>;

export function encodeStored(stored: Omit<StoredSignIn, "form">): Buffer {
  return Buffer.from(JSON.stringify({ form: FORM, ...stored }));
}

/**
 * Throws SIGN_IN_TOO_NEW for what a later program kept, SIGN_IN_FOREIGN for what is somebody else's or another agent's, and
 * SIGN_IN_INVALID.
 */
export function decodeStored(bytes: Uint8Array, place: ProfilePlace): StoredSignIn {
  const value = parse(bytes);
  const form = (value as { form?: unknown } | null | undefined)?.form;
  if (typeof form === "number" && form > FORM) {
    const message = `The login profile ${place.profile} was kept by a later version of Cattlegrid.`;
    throw new CattlegridError("SIGN_IN_TOO_NEW", message);
  }
  const result = storedSchema.safeParse(value, { reportInput: false });
  if (!result.success) {
    const message = `What is kept as the login profile ${place.profile} is no sign-in.`;
    throw new CattlegridError("SIGN_IN_INVALID", message);
  }
  const stored = result.data;
  // SECURITY: a value that was put under another name gives nobody another's sign-in.
  if (stored.owner === place.owner && stored.agent === place.agent) return stored;
  const message = `The login profile ${place.profile} holds a sign-in of somebody else, or of another agent.`;
  throw new CattlegridError("SIGN_IN_FOREIGN", message);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function encodeFiles(files: ReadonlyMap<string, Uint8Array>): Record<string, string> {
  const entries = [...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString("base64")]);
  return Object.fromEntries(entries) as Record<string, string>;
}

export function decodeFiles(files: Readonly<Record<string, string>>): Map<string, Buffer> {
  return new Map(
    Object.entries(files).map(([path, text]) => [path, Buffer.from(text, "base64")] as const),
  );
}
