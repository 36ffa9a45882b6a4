import type { EgressReason } from "../protocol/egress.ts";
import type { Decision } from "./decide.ts";
import type { Rule } from "./rule.ts";

export interface RefusalDetails {
  /** `error`: policy had nothing against it. Default `deny`. */
  action?: "deny" | "error";
  rule?: Rule | undefined;
}

/** Why a connection goes no further. A value, because a refusal is an expected outcome. */
export class Refusal {
  readonly code: EgressReason;
  readonly reason: string;
  readonly action: "deny" | "error";
  readonly rule: Rule | undefined;

  constructor(code: EgressReason, reason: string, details: RefusalDetails = {}) {
    this.code = code;
    this.reason = reason;
    this.action = details.action ?? "deny";
    this.rule = details.rule;
  }

  static of(decision: Decision & { action: "deny" }): Refusal {
    return new Refusal(decision.code, decision.reason, { rule: decision.rule });
  }

  static unreachable(what: string, problem: string): Refusal {
    return new Refusal("unreachable", `${what} is unreachable: ${problem}`, { action: "error" });
  }

  static gone(): Refusal {
    return new Refusal("closed", "the client left before it was connected", { action: "error" });
  }
}
