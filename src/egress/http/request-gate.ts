import type { EgressRecord } from "../../protocol/egress.ts";
import { decide, type EgressRequest } from "../policy/decide.ts";
import type { DenialPlace } from "../advice/explain.ts";
import type { HttpRequest } from "../policy/http-scope.ts";
import type { RequestGate } from "../passage.ts";
import type { EgressPolicy } from "../policy/policy.ts";
import { Refusal } from "../refusal.ts";
import { explainRefusal } from "../refuse-socket.ts";

export interface RequestGateOptions {
  policy(): EgressPolicy;
  /** What the connection was let through as. */
  standing: EgressRequest;
  where: DenialPlace;
  record(
    fields: Pick<EgressRecord, "action" | "reasonCode" | "reason"> & Partial<EgressRecord>,
  ): void;
}

/** Puts each request of one connection to the policy as it is at that moment. */
export function createRequestGate(options: RequestGateOptions): RequestGate {
  const { policy, standing, where, record } = options;

  const refuse = (refusal: Refusal, http?: HttpRequest): Refusal => {
    const { action, code, reason, rule } = refusal;
    const shown = rule === undefined ? {} : { rule: { id: rule.id, text: rule.text } };
    record({ action, reasonCode: code, reason, ...shown, ...show(http) });
    return refusal;
  };

  return {
    judge(http) {
      const decision = decide(policy(), { ...standing, http } as EgressRequest);
      if (decision.action === "deny") return refuse(Refusal.of(decision, http), http);
      const { rule, reason, inspect } = decision;
      // Where no rule speaks of requests, the connection's own record says it all.
      if (!inspect) return undefined;
      const shown = { id: rule.id, text: rule.text };
      record({ action: "allow", reasonCode: "allowed", reason, rule: shown, ...show(http) });
      return undefined;
    },
    judgeAgain(http) {
      const decision = decide(policy(), { ...standing, http } as EgressRequest);
      if (decision.action === "allow") return undefined;
      const reason = `the policy changed: ${decision.reason}`;
      return refuse(new Refusal("policy-changed", reason, { rule: decision.rule }), http);
    },
    refuse: (refusal) => void refuse(refusal),
    explain: (refusal) => explainRefusal(refusal, where),
  };
}

/** SECURITY: queries and headers may hold secrets; a record has neither. */
function show(http: HttpRequest | undefined): Pick<EgressRecord, "method" | "path"> {
  if (http === undefined) return {};
  return { method: http.method, path: http.path.split("?", 1)[0] ?? "" };
}
