import type { EgressReason } from "../protocol/egress.ts";
import type { Denied } from "./policy/decide.ts";
import type { HttpRequest } from "./policy/http-scope.ts";
import type { PolicyCeiling } from "./policy/policy.ts";
import type { Rule } from "./policy/rule.ts";

export interface RefusalDetails {
  /** `error`: policy had nothing against it. Default `deny`. */
  action?: "deny" | "error";
  rule?: Rule | undefined;
  ceiling?: PolicyCeiling | undefined;
  isForbidden?: boolean | undefined;
  /** The request that is refused, when the connection is not. */
  http?: HttpRequest | undefined;
}

/** Why a connection goes no further. A value, because a refusal is an expected outcome. */
export class Refusal {
  readonly code: EgressReason;
  readonly reason: string;
  readonly action: "deny" | "error";
  readonly rule: Rule | undefined;
  readonly ceiling: PolicyCeiling | undefined;
  readonly isForbidden: boolean | undefined;
  readonly http: HttpRequest | undefined;

  constructor(code: EgressReason, reason: string, details: RefusalDetails = {}) {
    this.code = code;
    this.reason = reason;
    this.action = details.action ?? "deny";
    this.rule = details.rule;
    this.ceiling = details.ceiling;
    this.isForbidden = details.isForbidden;
    this.http = details.http;
  }

  static of({ code, reason, ...details }: Denied, http?: HttpRequest): Refusal {
    return new Refusal(code, reason, { ...details, action: "deny", http });
  }

  static unreachable(what: string, problem: string): Refusal {
    return new Refusal("unreachable", `${what} is unreachable: ${problem}`, { action: "error" });
  }

  /** SECURITY: what must be inspected and cannot be goes no further. */
  static uninspected(rule: Rule): Refusal {
    const reason = `rule ${rule.text} speaks of some requests only, and this connection cannot be inspected`;
    return new Refusal("inspection-unavailable", reason, { rule });
  }

  static gone(): Refusal {
    return new Refusal("closed", "the client left before it was connected", { action: "error" });
  }
}
