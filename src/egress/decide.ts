import { assert } from "../errors/error.ts";
import { classifyAddress, twinsOf } from "./address-class.ts";
import { formatAddress, rangeContains, type Address } from "./address.ts";
import { matchesHost, type HostName } from "./host-name.ts";
import type { EgressPolicy } from "./policy.ts";
import { hasPort, portsWithin } from "./port-set.ts";
import {
  checkAddress,
  compareSpecificity,
  type AllowRule,
  type DenyRule,
  type Protocol,
  type Rule,
} from "./rule.ts";

/** A question to the policy. `protocol` is what was observed; absent, nothing has been read yet. */
export type EgressRequest =
  | { kind: "lookup"; name: HostName }
  | { kind: "connect"; name: HostName; port: number; protocol?: Protocol }
  | { kind: "dial"; name: HostName; port: number; protocol: Protocol; address: Address }
  | { kind: "literal"; address: Address; port: number };

export type DecisionCode =
  | "allowed"
  | "denied-by-rule"
  | "no-rule"
  | "port-not-allowed"
  | "protocol-not-allowed"
  | "address-not-allowed"
  | "address-not-named";

export type Decision =
  | {
      action: "allow";
      code: "allowed";
      /** The most specific rule that allows it. */
      rule: AllowRule;
      reason: string;
      /** What the allowing rules together let the connection speak. */
      protocols: readonly Protocol[];
    }
  | { action: "deny"; code: Exclude<DecisionCode, "allowed">; rule?: Rule; reason: string };

/** The one decision, used by DNS, by the gateway and by everything that explains them. Pure. */
export function decide(policy: EgressPolicy, request: EgressRequest): Decision {
  const denying = explainFirst(policy.deny.filter((rule) => denies(rule, request)));
  if (denying !== undefined) {
    return {
      action: "deny",
      code: "denied-by-rule",
      rule: denying,
      reason: `rule ${denying.text} denies it`,
    };
  }
  switch (request.kind) {
    case "lookup":
      return decideLookup(policy, request.name);
    case "connect":
      return decideConnect(policy, request);
    case "dial":
      return decideDial(policy, request);
    case "literal":
      return decideLiteral(policy, request);
  }
}

function denies(rule: DenyRule, request: EgressRequest): boolean {
  if (request.kind === "lookup") return deniesName(rule, request.name) && deniesEveryPort(rule);
  if (!hasPort(rule.ports, request.port)) return false;
  if ("name" in request && deniesName(rule, request.name)) return true;
  return "address" in request && deniesAddress(rule, request.address);
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

function decideLookup(policy: EgressPolicy, name: HostName): Decision {
  const named = allowingName(policy, name);
  const denied = policy.deny.filter((rule) => deniesName(rule, name));
  const reachable = named.filter(
    (rule) => !denied.some((deny) => portsWithin(rule.ports, deny.ports)),
  );
  if (reachable.length > 0) return allow(reachable);
  const denying = explainFirst(denied);
  if (named.length > 0 && denying !== undefined) {
    const reason = `rule ${denying.text} denies every port it is allowed on`;
    return { action: "deny", code: "denied-by-rule", rule: denying, reason };
  }
  return { action: "deny", code: "no-rule", reason: `no rule allows ${name}` };
}

function decideConnect(
  policy: EgressPolicy,
  request: { name: HostName; port: number; protocol?: Protocol },
): Decision {
  const { name, port, protocol } = request;
  const named = allowingName(policy, name);
  const nearest = explainFirst(named);
  if (nearest === undefined) {
    return { action: "deny", code: "no-rule", reason: `no rule allows ${name}` };
  }
  const onPort = named.filter((rule) => hasPort(rule.ports, port));
  const nearestOnPort = explainFirst(onPort);
  if (nearestOnPort === undefined) {
    const reason = `${name} is allowed by rule ${nearest.text}, but not on port ${port}`;
    return { action: "deny", code: "port-not-allowed", rule: nearest, reason };
  }
  const speaking = onPort.filter((rule) => protocol === undefined || accepts(rule, protocol));
  if (speaking.length > 0) return allow(speaking);
  const reason = `rule ${nearestOnPort.text} allows only ${nearestOnPort.protocol} there`;
  return { action: "deny", code: "protocol-not-allowed", rule: nearestOnPort, reason };
}

function decideDial(
  policy: EgressPolicy,
  request: { name: HostName; port: number; protocol: Protocol; address: Address },
): Decision {
  const connect = decideConnect(policy, request);
  if (connect.action === "deny") return connect;
  const speaking = allowingName(policy, request.name).filter(
    (rule) => hasPort(rule.ports, request.port) && accepts(rule, request.protocol),
  );
  const granting = speaking.filter((rule) => checkAddress(rule, request.address));
  if (granting.length > 0) return allow(granting);
  const shown = formatAddress(request.address);
  const reason = `${request.name} resolves to ${shown}, which is ${
    classifyAddress(request.address).meaning
  } and not granted by rule ${connect.rule.text}`;
  return { action: "deny", code: "address-not-allowed", rule: connect.rule, reason };
}

function decideLiteral(
  policy: EgressPolicy,
  request: { address: Address; port: number },
): Decision {
  const granting = policy.allow.filter(
    (rule) => rule.target.kind === "range" && checkAddress(rule, request.address),
  );
  const onPort = granting.filter((rule) => hasPort(rule.ports, request.port));
  if (onPort.length > 0) return allow(onPort);
  const nearest = explainFirst(granting);
  if (nearest !== undefined) {
    const reason = `rule ${nearest.text} does not include port ${request.port}`;
    return { action: "deny", code: "port-not-allowed", rule: nearest, reason };
  }
  const reason =
    `${formatAddress(request.address)} is an address that no allowed name was looked up for, ` +
    "and no CIDR rule grants it";
  return { action: "deny", code: "address-not-named", reason };
}

function allowingName(policy: EgressPolicy, name: HostName): AllowRule[] {
  return policy.allow.filter(
    ({ target }) => target.kind === "host" && matchesHost(target.pattern, name),
  );
}

function accepts(rule: AllowRule, protocol: Protocol): boolean {
  return rule.protocol === "opaque" || rule.protocol === protocol;
}

function allow(rules: readonly AllowRule[]): Decision {
  const rule = explainFirst(rules);
  assert(rule !== undefined, "an allowed request has a rule that allows it");
  const protocols = [...new Set(rules.map((each) => each.protocol))].toSorted();
  return {
    action: "allow",
    code: "allowed",
    rule,
    reason: `rule ${rule.text} allows it`,
    protocols,
  };
}

function explainFirst<R extends Rule>(rules: readonly R[]): R | undefined {
  return rules.toSorted(compareSpecificity)[0];
}
