import { getPublicSuffix } from "tldts";
import { classifyAddress } from "../address-class.ts";
import { rangeWithin, type AddressRange } from "../address.ts";
import type { HostPattern } from "../host-name.ts";

const IPV4_LENGTH_MIN = 8;
const IPV6_LENGTH_MIN = 32;

/** Shared by everybody like a public suffix, and not on the list of those. */
const SHARED_SUFFIXES = new Set([
  "amazonaws.com",
  "azure.com",
  "cloudapp.azure.com",
  "cloudflarestorage.com",
  "fastly.net",
  "googleusercontent.com",
  "railway.app",
  "sslip.io",
  "windows.net",
]);

/** A region or service of a shared suffix is shared too: `*.s3.us-east-1.amazonaws.com` is every bucket. */
const SHARED_TREES = ["amazonaws.com", "windows.net", "digitaloceanspaces.com"];

/** Why a pattern reaches further than one organisation, or undefined when it does not. */
export function explainBroadHost(pattern: HostPattern): string | undefined {
  if (pattern.kind === "exact") return undefined;
  if (pattern.name === "") return "it matches every name";
  const { name } = pattern;
  if (!name.includes(".")) return `it matches every name under .${name}`;
  const isShared =
    // The public suffix list with its private part: where registries, hosters and clouds hand out names.
    getPublicSuffix(name, { allowPrivateDomains: true }) === name ||
    SHARED_SUFFIXES.has(name) ||
    SHARED_TREES.some((tree) => name.endsWith(`.${tree}`));
  if (!isShared) return undefined;
  return `anybody can have a name under ${pattern.name}`;
}

/** Why a range holds more public addresses than one network has, or undefined when it does not. */
export function explainBroadRange(range: AddressRange): string | undefined {
  const shortest = range.family === 4 ? IPV4_LENGTH_MIN : IPV6_LENGTH_MIN;
  if (range.length >= shortest) return undefined;
  const base = classifyAddress({ family: range.family, value: range.base });
  if (base.class !== "public" && rangeWithin(range, base.range)) return undefined;
  return "it holds more addresses than one network has";
}
