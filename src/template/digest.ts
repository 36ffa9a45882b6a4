import { createHash } from "node:crypto";
import { toCanonicalJson } from "../platform/canonical-json.ts";

/** `sha256:` and 64 hex digits. */
export function digestBytes(bytes: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The same for the same data. */
export function digestData(data: unknown): string {
  return digestBytes(toCanonicalJson(data));
}
