import { createHash } from "node:crypto";
import { classifyAddress, rangeGrants } from "./address-class.ts";
import { formatRange, type Address, type AddressRange } from "./address.ts";
import { formatHostPattern, hostSpecificity, type HostPattern } from "./host-name.ts";
import { countPorts, formatPorts, type PortSet } from "./port-set.ts";

/** What may be spoken: `tls` and `http` are compared with the name that was looked up, `opaque` is any bytes. */
export type Protocol = "tls" | "http" | "opaque";

/** Which part of the policy a rule came from. */
export type RuleSource = "preset" | "agent" | "file" | "flag";

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
  reason?: string;
}

export function makeAllowRule(options: AllowOptions): AllowRule {
  const { protocol, addresses } = options;
  const words = [protocol, ...(options.target.kind === "host" ? formatGrant(addresses) : [])];
  const text = `${formatTarget(options.target)}:${formatPorts(options.ports)},${words.join(",")}`;
  return { effect: "allow", id: ruleId("allow", options.source, text), text, ...options };
}

export interface DenyOptions {
  source: RuleSource;
  target: RuleTarget;
  ports: PortSet;
  reason?: string;
}

export function makeDenyRule(options: DenyOptions): DenyRule {
  const text = `${formatTarget(options.target)}:${formatPorts(options.ports)}`;
  return { effect: "deny", id: ruleId("deny", options.source, text), text, ...options };
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
