import { quoteHost } from "../host-name.ts";
import type { HttpScope } from "./http-scope.ts";
import type { AllowEntry, DenyEntry } from "./policy-schema.ts";
import { EVERY_PORT, mergePorts, parsePortSpan, type PortSet } from "./port-set.ts";
import {
  checkAllow,
  checkScope,
  defaultProtocol,
  explainBroad,
  readAddressWords,
  readAllowText,
  readDenyText,
  readScope,
  readTarget,
  type Reading,
} from "./rule-text.ts";
import {
  makeAllowRule,
  makeDenyRule,
  PUBLIC_ADDRESSES,
  type AllowRule,
  type DenyRule,
  type RuleSource,
  type RuleTarget,
} from "./rule.ts";

const TLS_PORTS: PortSet = [{ first: 443, last: 443 }];

export function readAllowEntry(entry: string | AllowEntry, source: RuleSource): Reading<AllowRule> {
  if (typeof entry === "string") return readAllowText(entry, source);
  const target = readEntryTarget(entry);
  if (!target.ok) return target;
  const tooBroad = checkBroad(entry, target.value);
  if (tooBroad !== undefined) return tooBroad;
  const read = readEntryPorts(entry.ports);
  if (!read.ok) return read;
  const scope = readScope(entry);
  if (!scope.ok) return scope;
  const parts = { source, target: target.value, scope: scope.value };
  return finishAllow(entry, { ...parts, ports: read.value ?? TLS_PORTS });
}

function finishAllow(
  entry: AllowEntry,
  parts: { source: RuleSource; target: RuleTarget; scope: HttpScope; ports: PortSet },
): Reading<AllowRule> {
  const { target, ports } = parts;
  const words = entry.addresses === undefined ? [] : [entry.addresses].flat();
  const addresses = readAddressWords(words);
  if (!addresses.ok) return addresses;
  const protocol = entry.protocol ?? defaultProtocol(target, ports);
  const wrong = checkAllow({ ...parts, protocol, addresses: addresses.value });
  if (wrong !== undefined) return wrong;
  const value = makeAllowRule({
    ...parts,
    protocol,
    addresses: addresses.value ?? PUBLIC_ADDRESSES,
    ...(entry.reason === undefined ? {} : { reason: entry.reason }),
  });
  return { ok: true, value };
}

export function readDenyEntry(entry: string | DenyEntry, source: RuleSource): Reading<DenyRule> {
  if (typeof entry === "string") return readDenyText(entry, source);
  const target = readEntryTarget(entry);
  if (!target.ok) return target;
  const ports = readEntryPorts(entry.ports);
  if (!ports.ok) return ports;
  const scope = readScope(entry);
  if (!scope.ok) return scope;
  const wrong = checkScope(target.value, scope.value);
  if (wrong !== undefined) return wrong;
  const value = makeDenyRule({
    source,
    target: target.value,
    ports: ports.value ?? EVERY_PORT,
    scope: scope.value,
    ...(entry.reason === undefined ? {} : { reason: entry.reason }),
  });
  return { ok: true, value };
}

function checkBroad(entry: AllowEntry, target: RuleTarget) {
  const why = explainBroad(target);
  if (why === undefined || (entry.broad === true && entry.reason !== undefined)) return undefined;
  const fix = "Name the hosts, or add `broad: true` and a `reason`.";
  return { ok: false as const, problem: `the rule is too broad: ${why}`, fix };
}

function readEntryTarget(entry: {
  host?: string | undefined;
  cidr?: string | undefined;
}): Reading<RuleTarget> {
  const fix = "Give each rule either `host` or `cidr`.";
  const text = entry.host ?? entry.cidr;
  if (text === undefined) return { ok: false, problem: "the rule names no host", fix };
  if (entry.host !== undefined && entry.cidr !== undefined) {
    return { ok: false, problem: "the rule names both a host and a CIDR", fix };
  }
  const target = readTarget(text);
  if (!target.ok) return target;
  const expected = entry.host === undefined ? "range" : "host";
  if (target.value.kind === expected) return target;
  const problem = `${quoteHost(text)} is not a ${expected === "host" ? "host name" : "CIDR"}`;
  return { ok: false, problem, fix: "Use `host` for names and `cidr` for addresses." };
}

function readEntryPorts(
  ports: number | string | (number | string)[] | undefined,
): Reading<PortSet | undefined> {
  if (ports === undefined) return { ok: true, value: undefined };
  const spans = [];
  for (const port of [ports].flat()) {
    const span = parsePortSpan(String(port));
    if (span === undefined) {
      const fix = 'A port is 1 to 65535, a span such as 8000-8010, or "*".';
      return { ok: false, problem: `${quoteHost(String(port))} is not a port`, fix };
    }
    spans.push(span);
  }
  return { ok: true, value: mergePorts(spans) };
}
