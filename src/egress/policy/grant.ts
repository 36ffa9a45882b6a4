import { assert } from "../../errors/error.ts";
import { classifyAddress } from "../address-class.ts";
import { formatAddress, type Address } from "../address.ts";
import type { EgressRequest } from "./egress-request.ts";
import { matchesHost, type HostName } from "../host-name.ts";
import { findMismatch, isScoped, type HttpRequest, type ScopeMismatch } from "./http-scope.ts";
import { hasPort } from "./port-set.ts";
import { readRequestPath } from "../http/request-path.ts";
import {
  checkAddress,
  compareSpecificity,
  PROTOCOLS,
  type AllowRule,
  type Protocol,
  type Rule,
} from "./rule.ts";

/** What one set of allow rules says of a request, before anything denies it. */
export type Grant =
  | { ok: true; rule: AllowRule; protocols: readonly Protocol[]; inspect: boolean }
  | {
      ok: false;
      code: GrantRefusal;
      rule?: AllowRule;
      reason: string;
      /** It is about an address of this host, its links or its cloud. */
      isForbidden?: boolean;
    };

export type GrantRefusal =
  | "no-rule"
  | "port-not-allowed"
  | "protocol-not-allowed"
  | "address-not-allowed"
  | "address-not-named"
  | ScopeMismatch;

type NamedRequest = EgressRequest & { kind: "connect" | "dial" };

export function findGrant(
  rules: readonly AllowRule[],
  request: Exclude<EgressRequest, { kind: "lookup" }>,
): Grant {
  return request.kind === "literal" ? grantLiteral(rules, request) : grantNamed(rules, request);
}

export function allowingName(rules: readonly AllowRule[], name: HostName): AllowRule[] {
  return rules.filter(({ target }) => target.kind === "host" && matchesHost(target.pattern, name));
}

export function explainFirst<R extends Rule>(rules: readonly R[]): R | undefined {
  return rules.toSorted(compareSpecificity)[0];
}

function grantNamed(rules: readonly AllowRule[], request: NamedRequest): Grant {
  const { name, port, protocol } = request;
  const named = allowingName(rules, name);
  const nearest = explainFirst(named);
  if (nearest === undefined) {
    return { ok: false, code: "no-rule", reason: `no rule allows ${name}` };
  }
  const onPort = named.filter((rule) => hasPort(rule.ports, port));
  const nearestOnPort = explainFirst(onPort);
  if (nearestOnPort === undefined) {
    const reason = `${name} is allowed by rule ${nearest.text}, but not on port ${port}`;
    return { ok: false, code: "port-not-allowed", rule: nearest, reason };
  }
  const speaking = onPort.filter((rule) => protocol === undefined || accepts(rule, protocol));
  if (speaking.length === 0) {
    const reason = `rule ${nearestOnPort.text} allows only ${nearestOnPort.protocol} there`;
    return { ok: false, code: "protocol-not-allowed", rule: nearestOnPort, reason };
  }
  const granting =
    request.kind === "dial"
      ? speaking.filter((rule) => checkAddress(rule, request.address))
      : speaking;
  if (granting.length === 0 && request.kind === "dial") {
    return refuseAddress(name, request.address, explained(speaking));
  }
  return grantRequest(granting, request.http);
}

function refuseAddress(name: HostName, address: Address, rule: AllowRule): Grant {
  const { meaning, class: addressClass } = classifyAddress(address);
  const reason = `${name} resolves to ${formatAddress(address)}, which is ${meaning} and not granted by rule ${rule.text}`;
  const isForbidden = addressClass === "forbidden";
  return { ok: false, code: "address-not-allowed", rule, reason, isForbidden };
}

/** As long as no request has been seen, a rule that speaks of some requests only calls for inspection. */
function grantRequest(rules: readonly AllowRule[], http: HttpRequest | undefined): Grant {
  const plain = rules.filter((rule) => !isScoped(rule.scope));
  const inspect = plain.length === 0;
  if (http === undefined) return grant(inspect ? rules : plain, inspect);
  const matching = rules.filter((rule) => findMismatch(rule.scope, http) === undefined);
  if (matching.length > 0) return grant(matching, inspect);
  // The rule that fails last on the way from method to path is the one that was meant.
  const rule = explained(rules);
  const byPath = rules.filter(({ scope }) => findMismatch(scope, http) !== "method-not-allowed");
  const nearest = explainFirst(byPath) ?? rule;
  const code = findMismatch(nearest.scope, http) ?? "path-not-allowed";
  return { ok: false, code, rule: nearest, reason: explainMismatch(code, nearest, http) };
}

function explainMismatch(code: ScopeMismatch, rule: AllowRule, http: HttpRequest): string {
  switch (code) {
    case "method-not-allowed":
      return `rule ${rule.text} allows only ${rule.scope.methods?.join(", ") ?? "other methods"} there`;
    case "path-not-allowed":
      return `rule ${rule.text} does not include this path`;
    case "path-ambiguous": {
      const path = readRequestPath(http.path);
      const problem = path.ok ? "" : `: ${path.problem}`;
      return `rule ${rule.text} has paths, and servers may read this one as another${problem}`;
    }
  }
}

function grantLiteral(
  rules: readonly AllowRule[],
  request: { address: Address; port: number },
): Grant {
  const granting = rules.filter(
    (rule) => rule.target.kind === "range" && checkAddress(rule, request.address),
  );
  const onPort = granting.filter((rule) => hasPort(rule.ports, request.port));
  if (onPort.length > 0) return grant(onPort, false);
  const nearest = explainFirst(granting);
  if (nearest !== undefined) {
    const reason = `rule ${nearest.text} does not include port ${request.port}`;
    return { ok: false, code: "port-not-allowed", rule: nearest, reason };
  }
  const reason =
    `${formatAddress(request.address)} is an address that no allowed name was looked up for, ` +
    "and no CIDR rule grants it";
  const isForbidden = classifyAddress(request.address).class === "forbidden";
  return { ok: false, code: "address-not-named", reason, isForbidden };
}

function accepts(rule: AllowRule, protocol: Protocol): boolean {
  return rule.protocol === "opaque" || rule.protocol === protocol;
}

function grant(rules: readonly AllowRule[], inspect: boolean): Grant {
  const protocols = PROTOCOLS.filter((protocol) => rules.some((rule) => accepts(rule, protocol)));
  return { ok: true, rule: explained(rules), protocols, inspect };
}

function explained(rules: readonly AllowRule[]): AllowRule {
  const rule = explainFirst(rules);
  assert(rule !== undefined, "what is explained has a rule");
  return rule;
}
