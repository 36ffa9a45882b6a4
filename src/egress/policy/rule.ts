import { createHash } from "node:crypto";
import { classifyAddress, rangeGrants } from "../address-class.ts";
import { formatRange, type Address, type AddressRange } from "../address.ts";
import { formatHostPattern, hostSpecificity, type HostPattern } from "../host-name.ts";
import { isScoped, type HttpScope } from "./http-scope.ts";
import { countPorts, formatPorts, type PortSet } from "./port-set.ts";

/** What may be spoken: `tls` and `http` are compared with the name that was looked up, `opaque` is any bytes. */
export const PROTOCOLS = ["http", "opaque", "tls"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/**
 * Which part of the policy a rule came from: a preset's own, what the agent declares, a policy file, the flags
 * at creation, a change while the sandbox exists, a grant for one session, or the ceilings above them all.
 */
export const RULE_SOURCES = [
  "preset",
  "agent",
  "file",
  "flag",
  "change",
  "session",
  "template",
  "organisation",
] as const;
export type RuleSource = (typeof RULE_SOURCES)[number];

export type RuleTarget =
  | { kind: "host"; pattern: HostPattern }
  | { kind: "range"; range: AddressRange };

/** Which addresses a name may resolve to: classes, and ranges that are granted exactly. */
export interface AddressGrant {
  public: boolean;
  private: boolean;
  ranges: readonly AddressRange[];
}

interface RuleBase {
  /** The same for the same text from the same source, across restarts. */
  id: string;
  /** The rule in the short form a person would write. */
  text: string;
  source: RuleSource;
  target: RuleTarget;
  ports: PortSet;
  /** With it the rule speaks of some HTTP requests only, which inspection shows. */
  scope: HttpScope;
  reason?: string;
}

export interface AllowRule extends RuleBase {
  effect: "allow";
  protocol: Protocol;
  addresses: AddressGrant;
}

export interface DenyRule extends RuleBase {
  effect: "deny";
}

export type Rule = AllowRule | DenyRule;

export const PUBLIC_ADDRESSES: AddressGrant = { public: true, private: false, ranges: [] };

export interface AllowOptions {
  source: RuleSource;
  target: RuleTarget;
  ports: PortSet;
  protocol: Protocol;
  addresses: AddressGrant;
  /** Default: every request, and no inspection. */
  scope?: HttpScope;
  reason?: string;
}

export function makeAllowRule(options: AllowOptions): AllowRule {
  const { protocol, addresses, scope = {} } = options;
  const grant = options.target.kind === "host" ? formatGrant(addresses) : [];
  const text = formatRule(options, [protocol, ...grant]);
  const id = ruleId("allow", options.source, text);
  return { effect: "allow", id, text, ...options, scope };
}

export interface DenyOptions {
  source: RuleSource;
  target: RuleTarget;
  ports: PortSet;
  /** Default: every request, and whatever is not HTTP. */
  scope?: HttpScope;
  reason?: string;
}

export function makeDenyRule(options: DenyOptions): DenyRule {
  const { scope = {} } = options;
  const text = formatRule(options, []);
  return { effect: "deny", id: ruleId("deny", options.source, text), text, ...options, scope };
}

/** Whether a name under this rule may be dialled at this address. */
export function checkAddress(rule: AllowRule, address: Address): boolean {
  if (rule.target.kind === "range") return rangeGrants(rule.target.range, address);
  const { addresses } = rule;
  const addressClass = classifyAddress(address).class;
  if (addressClass === "public" && addresses.public) return true;
  if (addressClass === "private" && addresses.private) return true;
  return addresses.ranges.some((range) => rangeGrants(range, address));
}

/** The rule that says most about the request comes first; the order is total, so that answers are stable. */
export function compareSpecificity(a: Rule, b: Rule): number {
  return (
    targetSpecificity(b.target) - targetSpecificity(a.target) ||
    countPorts(a.ports) - countPorts(b.ports) ||
    Number(isScoped(b.scope)) - Number(isScoped(a.scope)) ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  );
}

function targetSpecificity(target: RuleTarget): number {
  return target.kind === "host" ? hostSpecificity(target.pattern) : target.range.length;
}

function formatTarget(target: RuleTarget): string {
  if (target.kind === "host") return formatHostPattern(target.pattern);
  const range = formatRange(target.range);
  return target.range.family === 6 ? `[${range}]` : range;
}

/** `HOST:PORTS/PATH,word,METHOD`; further paths are words too. */
function formatRule(
  rule: { target: RuleTarget; ports: PortSet; scope?: HttpScope },
  words: readonly string[],
): string {
  const { methods = [], paths = [] } = rule.scope ?? {};
  const [path = "", ...others] = paths.map(writePath);
  const place = `${formatTarget(rule.target)}:${formatPorts(rule.ports)}${path}`;
  return [place, ...words, ...methods, ...others].join(",");
}

/** As it stands in an address: what would be taken for a part of the rule's text is escaped. */
function writePath(path: string): string {
  return encodeURI(path).replaceAll(",", "%2C").replaceAll("?", "%3F").replaceAll("#", "%23");
}

function formatGrant(grant: AddressGrant): string[] {
  const words = grant.ranges.map(formatRange);
  if (grant.private) words.unshift("private");
  if (grant.public && words.length > 0) words.unshift("public");
  return words;
}

function ruleId(effect: string, source: RuleSource, text: string): string {
  const digest = createHash("sha256").update(`${effect}\0${source}\0${text}`).digest("hex");
  return `${effect}-${digest.slice(0, 10)}`;
}
