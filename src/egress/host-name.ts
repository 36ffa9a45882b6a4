import { isIP } from "node:net";
import { domainToASCII } from "node:url";

/** A host name in its one spelling: lower case, A-labels, no trailing dot. */
export type HostName = string & { readonly __brand: "HostName" };

/** `exact`: the name. `label`: one label more. `tree`: one label or more, at any depth. */
export interface HostPattern {
  kind: "exact" | "label" | "tree";
  /** For `label` and `tree` the part after the wildcard; empty for `*` and `**`. */
  name: HostName | "";
}

export type HostReading<T> = { ok: true; value: T } | { ok: false; problem: string };

const NAME_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/;
/** What the URL parser would decode or cut off, so that policy and dialler could read two names. */
const FORBIDDEN = /[\p{Cc}\p{Cf}\s@#\\%/?:[\]<>^|"'`{}()&$!*+,;=~]/u;

/** Reads a name written by a person: any case, IDN, one trailing dot. */
export function readHostName(text: string): HostReading<HostName> {
  const odd = FORBIDDEN.exec(text)?.[0];
  if (odd !== undefined) return refuse(`${quoteHost(odd)} cannot be part of a host name`);
  const ascii = domainToASCII(text);
  return readAsciiName(ascii === "" ? text : ascii);
}

/** Reads a name that came over the wire, where only ASCII is a host name. */
export function readAsciiName(text: string): HostReading<HostName> {
  const name = (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
  if (name === "") return refuse("the host name is empty");
  if (name.length > NAME_LENGTH_MAX) return refuse("the host name is longer than 253 characters");
  const labels = name.split(".");
  const bad = labels.find((label) => label.length > LABEL_LENGTH_MAX || !LABEL.test(label));
  if (bad !== undefined) return refuse(`${quoteHost(bad)} is not a valid part of a host name`);
  // SECURITY: resolvers read 127.1, 0x7f000001 and 2130706433 as addresses; a name never ends in a number.
  const last = labels.at(-1) ?? "";
  if (isIP(name) !== 0 || /^(?:[0-9]+|0x[0-9a-f]*)$/.test(last)) {
    return refuse(`${quoteHost(name)} is an address in an odd spelling, not a host name`);
  }
  return { ok: true, value: name as HostName };
}

/** Reads an exact name, `*.name`, `**.name`, `*` or `**`. */
export function readHostPattern(text: string): HostReading<HostPattern> {
  const wildcard = /^(\*\*?)(?:\.|$)/.exec(text)?.[1];
  if (wildcard === undefined) {
    const name = readHostName(text);
    return name.ok ? { ok: true, value: { kind: "exact", name: name.value } } : name;
  }
  const kind = wildcard === "*" ? "label" : "tree";
  if (text === wildcard) return { ok: true, value: { kind, name: "" } };
  const name = readHostName(text.slice(wildcard.length + 1));
  return name.ok ? { ok: true, value: { kind, name: name.value } } : name;
}

export function formatHostPattern(pattern: HostPattern): string {
  if (pattern.kind === "exact") return pattern.name;
  const wildcard = pattern.kind === "label" ? "*" : "**";
  return pattern.name === "" ? wildcard : `${wildcard}.${pattern.name}`;
}

/** A wildcard never matches the bare parent: `*.example.com` says nothing of `example.com`. */
export function matchesHost(pattern: HostPattern, name: HostName): boolean {
  if (pattern.kind === "exact") return name === pattern.name;
  const suffix = pattern.name === "" ? "" : `.${pattern.name}`;
  if (!name.endsWith(suffix) || name.length === suffix.length) return false;
  return pattern.kind === "tree" || !name.slice(0, name.length - suffix.length).includes(".");
}

/** Larger explains better: exact names, then the longer suffix, then one label before any depth. */
export function hostSpecificity(pattern: HostPattern): number {
  const labels = pattern.name === "" ? 0 : pattern.name.split(".").length;
  if (pattern.kind === "exact") return 1000;
  return labels * 2 + (pattern.kind === "label" ? 1 : 0);
}

/** Escapes control and invisible characters, and bounds the length, for messages and records. */
export function quoteHost(text: string): string {
  const escaped = text.replace(
    /[^\x20-\x7e]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return `"${escaped.length > 300 ? `${escaped.slice(0, 300)}…` : escaped}"`;
}

function refuse(problem: string): { ok: false; problem: string } {
  return { ok: false, problem };
}
