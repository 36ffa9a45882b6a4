import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { Refusal } from "./refusal.ts";
import type { FakeSandbox } from "./sandbox.ts";

export interface Presented {
  method: string;
  headers: IncomingHttpHeaders;
  query: URLSearchParams;
}

/** Throws what the API answers without its key. */
export function authorizeControl(key: string, { headers }: Presented): void {
  if (headers.authorization === `Bearer ${key}`) return;
  throw new Refusal(["api", 401], "Invalid credentials");
}

/** The proxy takes the key, the preview token of the sandbox, or a signed address of a file. */
export function authorizeToolbox(
  key: string,
  sandbox: FakeSandbox,
  presented: Presented & { operation: string; now: number },
): void {
  const { headers, query } = presented;
  if (headers.authorization === `Bearer ${key}`) return;
  const tokens = [headers["x-daytona-preview-token"], query.get("DAYTONA_SANDBOX_AUTH_KEY")];
  if (tokens.includes(sandbox.previewToken)) return;
  if (isSigned(sandbox, presented)) return;
  throw new Refusal(["proxy", 401], "unauthorized: missing or invalid credentials");
}

function isSigned(
  { signingKey }: FakeSandbox,
  { method, query, operation, now }: Presented & { operation: string; now: number },
): boolean {
  const signature = query.get("signature");
  if (signature === null || !["/files/download", "/files/upload-v2"].includes(operation))
    return false;
  const path = query.get("path") ?? "";
  const expires = query.get("expires") ?? "";
  // 0 stands for an address that never expires.
  if (Number(expires) !== 0 && Number(expires) * 1000 < now) return false;
  const text = `v1:files:${method}:${path}:${expires}`;
  const expected = `v1_${createHmac("sha256", signingKey).update(text).digest("base64url")}`;
  const [one, other] = [Buffer.from(expected), Buffer.from(signature)];
  return one.length === other.length && timingSafeEqual(one, other);
}
