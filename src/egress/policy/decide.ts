import { twinsOf } from "../address-class.ts";
import { rangeContains, type Address } from "../address.ts";
import type { EgressRequest } from "./egress-request.ts";
import { allowingName, explainFirst, findGrant, type Grant, type GrantRefusal } from "./grant.ts";
import { matchesHost, type HostName } from "../host-name.ts";
import { deniesRequest, isScoped } from "./http-scope.ts";
import type { EgressPolicy, PolicyCeiling } from "./policy.ts";
import { hasPort, intersectPorts, portsWithin, subtractPorts, type PortSpan } from "./port-set.ts";
import type { AllowRule, DenyRule, Protocol, Rule } from "./rule.ts";

export type { EgressRequest } from "./egress-request.ts";

export type DecisionCode = "allowed" | "denied-by-rule" | "beyond-ceiling" | GrantRefusal;

export type Decision = Allowed | Denied;

export interface Allowed {
  action: "allow";
  code: "allowed";
  /** The most specific rule that allows it. */
  rule: AllowRule;
  reason: string;
  /** What the connection may speak. */
  protocols: readonly Protocol[];
  /**
   * SECURITY: the connection may go on only if every HTTP request on it is put to `decide` before it is sent.
   * Which rules apply depends on protocol and address, so the last decision before relaying is the one that counts.
   */
  inspect: boolean;
}

export interface Denied {
  action: "deny";
  code: Exclude<DecisionCode, "allowed">;
  rule?: Rule;
  reason: string;
  /** Refuses it whatever the layers below allow. */
  ceiling?: PolicyCeiling;
  /** It is about an address of this host, its links or its cloud. */
  isForbidden?: boolean;
}

/** The one decision, used by DNS, by the gateway and by everything that explains them. Pure. */
export function decide(policy: EgressPolicy, request: EgressRequest): Decision {
  const denying = explainFirst(policy.deny.filter((rule) => denies(rule, request)));
  if (denying !== undefined) return deniedBy(denying, `rule ${denying.text} denies it`);
  if (request.kind === "lookup") return decideLookup(policy, request.name);
  const grant = findGrant(policy.allow, request);
  const ceilings = policy.ceilings.map((ceiling) => ({
    ceiling,
    above: findGrant(ceiling.allow, request),
  }));
  const refusing = ceilings.find(({ above }) => !above.ok);
  if (!grant.ok) return { ...refuse(grant), ...(refusing && { ceiling: refusing.ceiling }) };
  if (refusing !== undefined && !refusing.above.ok) {
    return beyond(refusing.ceiling, grant.rule, refusing.above.reason);
  }
  return combine(policy, request, [grant, ...ceilings.flatMap(({ above }) => [above])]);
}

/** What all layers together let a connection do. */
function combine(
  policy: EgressPolicy,
  request: Exclude<EgressRequest, { kind: "lookup" }>,
  grants: readonly Grant[],
): Decision {
  const granted = grants.filter((grant) => grant.ok);
  const [own] = granted;
  const watching = explainFirst(policy.deny.filter((rule) => watches(rule, request)));
  const common = granted
    .map(({ protocols }) => protocols)
    .reduce((some, others) => some.filter((protocol) => others.includes(protocol)));
  // An opaque connection cannot be inspected, so where some requests are denied there is none.
  const protocols =
    watching === undefined ? common : common.filter((protocol) => protocol !== "opaque");
  const spoken = "protocol" in request ? request.protocol : undefined;
  if (own === undefined) return { action: "deny", code: "no-rule", reason: "no rule allows it" };
  if (watching !== undefined && (spoken === "opaque" || protocols.length === 0)) {
    return deniedBy(
      watching,
      `rule ${watching.text} denies some requests there, which only tls and http would show`,
    );
  }
  const [ceiling] = policy.ceilings;
  if (protocols.length === 0 && ceiling !== undefined) {
    return beyond(ceiling, own.rule, "the protocols that it allows are others");
  }
  return {
    action: "allow",
    code: "allowed",
    rule: own.rule,
    reason: `rule ${own.rule.text} allows it`,
    protocols,
    inspect: watching !== undefined || granted.some(({ inspect }) => inspect),
  };
}

function decideLookup(policy: EgressPolicy, name: HostName): Decision {
  const named = allowingName(policy.allow, name);
  const nearest = explainFirst(named);
  const ceilings = policy.ceilings.map((ceiling) => ({
    ceiling,
    ports: portsOf(allowingName(ceiling.allow, name)),
  }));
  if (nearest === undefined) {
    const above = ceilings.find(({ ports }) => ports.length === 0);
    const reason = `no rule allows ${name}`;
    return { action: "deny", code: "no-rule", reason, ...(above && { ceiling: above.ceiling }) };
  }
  let reachable = portsOf(named);
  for (const { ceiling, ports } of ceilings) {
    reachable = intersectPorts(reachable, ports);
    if (reachable.length > 0) continue;
    const what = ports.length === 0 ? name : `${name} on these ports`;
    return beyond(ceiling, nearest, `no rule there allows ${what}`);
  }
  const denied = policy.deny.filter((rule) => !isScoped(rule.scope) && deniesName(rule, name));
  const left = subtractPorts(reachable, portsOf(denied));
  const rule = explainFirst(named.filter(({ ports }) => intersectPorts(ports, left).length > 0));
  if (rule !== undefined) {
    const reason = `rule ${rule.text} allows it`;
    return { action: "allow", code: "allowed", rule, reason, protocols: [], inspect: false };
  }
  const denying = explainFirst(denied) ?? nearest;
  return deniedBy(denying, `rule ${denying.text} denies every port it is allowed on`);
}

function denies(rule: DenyRule, request: EgressRequest): boolean {
  if (isScoped(rule.scope)) {
    if (!watches(rule, request) || !("http" in request) || request.http === undefined) return false;
    return deniesRequest(rule.scope, request.http);
  }
  if (request.kind === "lookup") return deniesName(rule, request.name) && deniesEveryPort(rule);
  if (!hasPort(rule.ports, request.port)) return false;
  if ("name" in request && deniesName(rule, request.name)) return true;
  return "address" in request && deniesAddress(rule, request.address);
}

/** Whether the rule denies some requests of the connection and not the connection itself. */
function watches(rule: DenyRule, request: EgressRequest): boolean {
  if (!isScoped(rule.scope) || !("name" in request) || request.kind === "lookup") return false;
  return hasPort(rule.ports, request.port) && deniesName(rule, request.name);
}

function deniesName(rule: DenyRule, name: HostName): boolean {
  return rule.target.kind === "host" && matchesHost(rule.target.pattern, name);
}

function deniesAddress(rule: DenyRule, address: Address): boolean {
  const { target } = rule;
  if (target.kind !== "range") return false;
  return twinsOf(address).some((twin) => rangeContains(target.range, twin));
}

function deniesEveryPort(rule: DenyRule): boolean {
  return portsWithin([{ first: 1, last: 65_535 }], rule.ports);
}

function portsOf(rules: readonly Rule[]): readonly PortSpan[] {
  return rules.flatMap(({ ports }) => ports);
}

function refuse(grant: Grant & { ok: false }): Denied {
  const { ok: _ok, ...told } = grant;
  return { action: "deny", ...told };
}

function deniedBy(rule: Rule, reason: string): Denied {
  return { action: "deny", code: "denied-by-rule", rule, reason };
}

function beyond(ceiling: PolicyCeiling, rule: AllowRule, why: string): Denied {
  const reason = `rule ${rule.text} goes beyond what the ${ceiling.layer} policy allows: ${why}`;
  return { action: "deny", code: "beyond-ceiling", rule, reason, ceiling };
}
