import type { EgressPolicy } from "../../egress/policy/policy.ts";
import { formatRange } from "../../egress/address.ts";
import { EVERY_PORT, formatPorts } from "../../egress/policy/port-set.ts";
import { isScoped } from "../../egress/policy/http-scope.ts";
import type { AllowRule } from "../../egress/policy/rule.ts";
import type { AddressPolicy, RunningSandbox } from "../provider.ts";

/**
 * A policy as a backend that knows addresses alone can hold it; undefined for one that says more: names, ports, protocols,
 * requests, exceptions, or ceilings above it.
 *
 * SECURITY: the preset `open` becomes everything. Whoever chooses it has said that nobody looks at what leaves; private
 * addresses of the backend's own network, which our gateway would refuse, are that backend's to protect.
 */
export function addressPolicyOf({
  allow,
  deny,
  ceilings,
}: EgressPolicy): AddressPolicy | undefined {
  if (allow.length === 0) return { reach: "nothing" };
  if (deny.length > 0 || ceilings.length > 0) return undefined;
  if (allow.some(isEverything)) return { reach: "everything" };
  if (!allow.every(isWholeRange)) return undefined;
  return { reach: "ranges", cidrs: allow.flatMap(({ target }) => cidrOf(target)) };
}

function isEverything({ target, source, ...rule }: AllowRule): boolean {
  const isAnyName =
    target.kind === "host" && target.pattern.kind === "tree" && target.pattern.name === "";
  return isAnyName && source === "preset" && isWhole(rule);
}

function isWholeRange({ target, ...rule }: AllowRule): boolean {
  return target.kind === "range" && isWhole(rule);
}

function isWhole({
  ports,
  protocol,
  scope,
}: Pick<AllowRule, "ports" | "protocol" | "scope">): boolean {
  return (
    formatPorts(ports) === formatPorts(EVERY_PORT) && protocol === "opaque" && !isScoped(scope)
  );
}

function cidrOf(target: AllowRule["target"]): readonly string[] {
  return target.kind === "range" ? [formatRange(target.range)] : [];
}

/** SECURITY: what cannot be said in addresses becomes nothing, never more than the policy. */
export async function limitAddresses(
  running: RunningSandbox | undefined,
  policy: EgressPolicy,
): Promise<void> {
  await running?.limitAddresses?.(addressPolicyOf(policy) ?? { reach: "nothing" });
}
