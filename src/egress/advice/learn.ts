import type { EgressRecord } from "../../protocol/egress.ts";
import { classifyAddress } from "../address-class.ts";
import { parseAddress } from "../address.ts";
import { explainBroadHost } from "../policy/broad-host.ts";
import { readHostPattern } from "../host-name.ts";
import type { EgressPolicy } from "../policy/policy.ts";
import { countPorts } from "../policy/port-set.ts";
import { readAllowText } from "../policy/rule-text.ts";
import type { AllowRule, DenyRule } from "../policy/rule.ts";

/** One place that a run reached or wanted, as the rule that allows just that. */
export interface LearnedRule {
  rule: AllowRule;
  /** How often it was let through, and how often refused. */
  allowed: number;
  refused: number;
}

export interface Learned {
  rules: readonly LearnedRule[];
  /** Kept as they are: a run tells nothing about what must stay denied. */
  deny: readonly DenyRule[];
  /** What was refused and no rule is suggested for, with why. */
  left: readonly { place: string; reason: string; count: number }[];
  /** Wildcards that would cover several of the names. A person may want one; it is never taken by itself. */
  families: readonly { pattern: string; names: readonly string[] }[];
}

const FAMILY_NAMES_MIN = 3;

/** The smallest policy that would have allowed everything that a run wanted. Pure. */
export function learn(policy: EgressPolicy, records: readonly EgressRecord[]): Learned {
  const rules = new Map<string, LearnedRule>();
  const left = new Map<string, Learned["left"][number]>();
  for (const record of records) {
    if (record.kind !== "connect" && record.kind !== "request") continue;
    const text = record.action === "allow" ? narrow(policy, record) : describeWish(record);
    if (record.action === "error" || text === undefined) continue;
    const reading = readAllowText(text, "file");
    if (reading.ok && !isForbidden(record)) {
      addUp(rules, reading.value, record);
      continue;
    }
    const place = placeOf(record);
    const known = left.get(place);
    left.set(place, { place, reason: record.reason, count: (known?.count ?? 0) + 1 });
  }
  const learned = dropCovered([...rules.values()]);
  const deny = policy.deny.filter(
    ({ source }) => source !== "organisation" && source !== "template",
  );
  return { rules: learned, deny, left: [...left.values()], families: findFamilies(learned) };
}

function addUp(rules: Map<string, LearnedRule>, rule: AllowRule, { action }: EgressRecord): void {
  const known = rules.get(rule.text) ?? { rule, allowed: 0, refused: 0 };
  if (action === "allow") known.allowed += 1;
  else known.refused += 1;
  rules.set(rule.text, known);
}

/** The rule that let it through if that is exact; of a wider one only what was used. */
function narrow(policy: EgressPolicy, record: EgressRecord): string | undefined {
  const rule = policy.allow.find(({ id }) => id === record.rule?.id);
  if (rule === undefined) return wanted(record, "");
  const { target, ports } = rule;
  const isExact =
    target.kind === "host"
      ? target.pattern.kind === "exact"
      : target.range.length === (target.range.family === 4 ? 32 : 128);
  if (isExact && countPorts(ports) === 1) return rule.text;
  // What follows the place: protocol, addresses, methods and paths. Any bytes become what the port is for.
  const [, ...words] = rule.text.split(",");
  const kept = words.filter((word) => word !== "opaque" || !isUsualPort(record.port));
  return wanted(record, record.name === undefined ? "" : kept.map((word) => `,${word}`).join(""));
}

function isUsualPort(port: number | undefined): boolean {
  return port === 80 || port === 443;
}

/** The rule that a refused connection or request would have needed. */
function describeWish(record: EgressRecord): string | undefined {
  switch (record.reasonCode) {
    case "no-rule":
    case "port-not-allowed":
    case "address-not-named":
      return wanted(record, "");
    case "protocol-not-allowed":
      return wanted(record, `,${record.protocol ?? "opaque"}`);
    case "method-not-allowed":
    case "path-not-allowed":
      return wantedRequest(record);
    case "policy-changed":
      return undefined;
    default:
      // Not readable as a rule, and so told among what is left.
      return "";
  }
}

/** A star in a path would be a wildcard in a rule, so such a one is not readable as a rule. */
function wantedRequest(record: EgressRecord): string {
  const { method, path = "", protocol = "tls" } = record;
  if (method === undefined || /[*,]/.test(path)) return "";
  return wanted(record, `,${protocol},${method}`, path);
}

function wanted({ name, address, port }: EgressRecord, words: string, path = ""): string {
  const host = name ?? (address?.includes(":") === true ? `[${address}]` : (address ?? ""));
  return `${host}:${port ?? ""}${path}${words}`;
}

function placeOf({ name, address, port, method, path }: EgressRecord): string {
  const request = method === undefined ? "" : ` ${method} ${path ?? ""}`;
  return `${name ?? address ?? "unknown"}${port === undefined ? "" : `:${port}`}${request}`;
}

/** SECURITY: loopback, link-local and metadata addresses are never suggested. */
function isForbidden({ name, address, action }: EgressRecord): boolean {
  if (action === "allow" || name !== undefined) return false;
  const parsed = parseAddress(address ?? "");
  return parsed === undefined || classifyAddress(parsed).class === "forbidden";
}

/** A rule for single requests is not needed beside one for all of the same place. */
function dropCovered(rules: readonly LearnedRule[]): readonly LearnedRule[] {
  const texts = new Set(rules.map(({ rule }) => rule.text));
  return rules.filter(({ rule }) => {
    const { methods, paths } = rule.scope;
    if (methods === undefined && paths === undefined) return true;
    const [place = "", ...words] = rule.text.split(",");
    const whole = [place.replace(/\/.*$/, ""), words[0]].join(",");
    return !texts.has(whole);
  });
}

function findFamilies(rules: readonly LearnedRule[]): Learned["families"] {
  const families = new Map<string, Set<string>>();
  for (const { rule } of rules) {
    if (rule.target.kind !== "host") continue;
    const { name } = rule.target.pattern;
    const pattern = `*.${name.slice(name.indexOf(".") + 1)}`;
    families.set(pattern, (families.get(pattern) ?? new Set()).add(name));
  }
  return [...families]
    .filter(([pattern, names]) => names.size >= FAMILY_NAMES_MIN && isOwned(pattern))
    .map(([pattern, names]) => ({ pattern, names: [...names] }));
}

function isOwned(pattern: string): boolean {
  const reading = readHostPattern(pattern);
  return reading.ok && explainBroadHost(reading.value) === undefined;
}
