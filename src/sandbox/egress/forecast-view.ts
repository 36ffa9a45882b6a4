import { formatAddress } from "../../egress/address.ts";
import { explainRemedy } from "../../egress/advice/explain.ts";
import { forecastDecision } from "../../egress/advice/forecast.ts";
import type { Wish } from "../../egress/advice/wish.ts";
import type { EgressPolicy } from "../../egress/policy/policy.ts";
import type { PolicyForecast } from "../../protocol/policy.ts";
import { showRule } from "./policy-view.ts";

/** What the gateway would decide about a wish, and what a person can do about a denial. */
export function showForecast(
  policy: EgressPolicy,
  wish: Wish,
  sandboxName: string,
): PolicyForecast {
  const { decision, dependsOnAddress } = forecastDecision(policy, wish);
  const { action, code: reasonCode, reason, rule } = decision;
  const http = wish.kind === "name" ? wish.http : undefined;
  const where = { place: placeOf(wish), sandboxName };
  const remedy = action === "deny" ? explainRemedy({ ...decision, http }, where) : undefined;
  return {
    action,
    reasonCode,
    reason,
    ...(rule === undefined ? {} : { rule: showRule(rule) }),
    inspected: action === "allow" && decision.inspect,
    dependsOnAddress,
    ...(remedy === undefined ? {} : { remedy }),
  };
}

function placeOf(wish: Wish): string {
  if (wish.kind === "name") return `${wish.name}:${wish.port}`;
  const address = formatAddress(wish.address);
  return wish.address.family === 6 ? `[${address}]:${wish.port}` : `${address}:${wish.port}`;
}
