import { CattlegridError } from "../../../errors/error.ts";

/** What the service answered, when that was no success. */
export interface ServiceRefusal {
  status: number;
  /** What it says in words; without the key. */
  message: string;
  method: string;
  /** Without its query. */
  path: string;
}

const QUOTA = /limit exceeded|exceeds maximum allowed|quota|insufficient (credits|balance)/i;
const NOT_STARTED = /is the sandbox started|SANDBOX_NOT_RUNNING/i;

/** What the service refused, as a failure with a code. */
export function explainRefusal({ status, message, method, path }: ServiceRefusal): CattlegridError {
  const text = message.trim().replace(/\.$/, "") || `status ${status}`;
  const details = { status, call: `${method} ${path}` };
  if (status === 401) {
    return new CattlegridError("PROVIDER_FORBIDDEN", `Daytona does not accept the key: ${text}.`, {
      hint: "Make a key in Daytona's dashboard and give it anew: `cattlegrid secret set DAYTONA_API_KEY`.",
      details,
    });
  }
  if (QUOTA.test(text) && status < 500) {
    return new CattlegridError("PROVIDER_QUOTA_EXCEEDED", `Daytona refused: ${text}.`, { details });
  }
  if (status === 403) {
    return new CattlegridError("PROVIDER_FORBIDDEN", `Daytona forbids this: ${text}.`, {
      hint: "Look what the key may do and which regions its organisation has; DAYTONA_TARGET names the region.",
      details,
    });
  }
  if (status === 429) {
    return new CattlegridError("PROVIDER_RATE_LIMITED", `Daytona refused: ${text}.`, { details });
  }
  if (status === 404 || status === 410 || NOT_STARTED.test(text)) {
    return new CattlegridError("SANDBOX_NOT_RUNNING", `Daytona: ${text}.`, { details });
  }
  return new CattlegridError("PROVIDER_FAILED", `Daytona refused: ${text}.`, { details });
}

/** An answer that is not the API's, such as a page for people. */
export function explainForeignAnswer(url: string, status: number, type: string): CattlegridError {
  const message = `${url} answered with ${type || "nothing"} (status ${status}), which is not Daytona's API.`;
  return new CattlegridError("PROVIDER_FAILED", message, {
    hint: "Look at DAYTONA_API_URL, which ends with /api, and whether a proxy or a login page is in between.",
  });
}

const CLOCK = new Set(["CERT_NOT_YET_VALID", "CERT_HAS_EXPIRED"]);

/** A connection that failed, or an answer that did not come. */
export function explainConnection(error: unknown, url: string): CattlegridError {
  const { origin } = new URL(url);
  const code = codeOf(error);
  if (CLOCK.has(code)) {
    const message = `The certificate of ${origin} is not valid at this machine's time, ${new Date().toISOString()}.`;
    return new CattlegridError("PROVIDER_UNREACHABLE", message, {
      hint: "Set this machine's clock, then try again.",
      cause: error,
    });
  }
  const isLate = error instanceof Error && error.name === "TimeoutError";
  const why = isLate ? "did not answer in time" : `cannot be reached (${code || "no answer"})`;
  return new CattlegridError("PROVIDER_UNREACHABLE", `Daytona at ${origin} ${why}.`, {
    hint: "Look at the network and at DAYTONA_API_URL, then try again.",
    cause: error,
  });
}

/** `fetch` wraps the system's error. */
function codeOf(error: unknown): string {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    if ("code" in each && typeof each.code === "string") return each.code;
  }
  return "";
}
