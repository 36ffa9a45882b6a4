import { assert } from "../errors/error.ts";
import {
  bitsOf,
  parseRange,
  rangeContains,
  rangeWithin,
  type Address,
  type AddressRange,
} from "./address.ts";

/**
 * `public`: reachable from the internet. `private`: every other range that a network may use as its own.
 * `forbidden`: this machine, its links and its cloud's metadata; no class of a rule ever includes these.
 */
export type AddressClass = "public" | "private" | "forbidden";

interface SpecialRange extends AddressRange {
  class: AddressClass;
  /** What a reader of a record is told. */
  meaning: string;
}

interface Classification {
  class: AddressClass;
  meaning: string;
  /** The range that decided; a CIDR rule grants a non-public address only from within it. */
  range: AddressRange;
}

function special(addressClass: AddressClass, meaning: string, texts: readonly string[]) {
  return texts.map((text): SpecialRange => {
    return { ...constantRange(text), class: addressClass, meaning };
  });
}

function constantRange(text: string): AddressRange {
  const range = parseRange(text);
  assert(range !== undefined, `${text} is a range`);
  return range;
}

/**
 * SECURITY: IANA's special-purpose registries plus the metadata services of the large clouds. The longest
 * prefix decides, so metadata inside a private or even a public range stays forbidden.
 */
const SPECIAL_RANGES: readonly SpecialRange[] = [
  ...special("forbidden", "a cloud metadata service", [
    "169.254.169.254/32",
    "169.254.170.2/32",
    "169.254.170.23/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
  ]),
  ...special("forbidden", "loopback", ["127.0.0.0/8", "::1/128"]),
  ...special("forbidden", "this host", ["0.0.0.0/8", "::/128"]),
  ...special("forbidden", "link-local", ["169.254.0.0/16", "fe80::/10"]),
  ...special("forbidden", "multicast or broadcast", [
    "224.0.0.0/4",
    "255.255.255.255/32",
    "ff00::/8",
  ]),
  // Ranges whose addresses may stand for an IPv4 address that cannot be told from the prefix alone.
  ...special("forbidden", "an embedded IPv4 address", ["::/8", "64:ff9b:1::/48", "2001::/32"]),
  ...special("private", "a private network", [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
    "fec0::/10",
  ]),
  ...special("private", "a range reserved for special use", [
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "3fff::/20",
    "5f00::/16",
  ]),
  ...special("public", "a public address", ["0.0.0.0/0", "2000::/3"]),
  ...special("private", "an unassigned range", [
    "100::/8",
    "200::/7",
    "400::/6",
    "800::/5",
    "1000::/4",
    "4000::/2",
    "8000::/1",
  ]),
];

interface Embedding extends AddressRange {
  /** Bit position of the last bit of the IPv4 address. */
  shift: number;
  meaning: string;
}

const EMBEDDINGS: readonly Embedding[] = [
  { ...constantRange("64:ff9b::/96"), shift: 0, meaning: "the NAT64 form of " },
  { ...constantRange("2002::/16"), shift: 80, meaning: "the 6to4 form of " },
];

/** Public, private or forbidden; the NAT64 and 6to4 twins of an IPv4 address share its class. */
export function classifyAddress(address: Address): Classification {
  const embedding = EMBEDDINGS.find((range) => rangeContains(range, address));
  const decisive = embedding === undefined ? address : embeddedAddress(embedding, address);
  const found = longest(SPECIAL_RANGES.filter((range) => rangeContains(range, decisive)));
  if (embedding === undefined) return { ...found, range: found };
  const length = bitsOf(6) - embedding.shift - (bitsOf(4) - found.length);
  const range: AddressRange = { family: 6, base: address.value, length };
  return { class: found.class, meaning: `${embedding.meaning}${found.meaning}`, range };
}

/** The address itself and the IPv4 address it stands for, so that a denied range covers its twins. */
export function twinsOf(address: Address): readonly Address[] {
  const embedding = EMBEDDINGS.find((range) => rangeContains(range, address));
  return embedding === undefined ? [address] : [address, embeddedAddress(embedding, address)];
}

/**
 * Whether a CIDR that a person wrote grants this address. A range grants a non-public address only when
 * it was plainly meant: 0.0.0.0/0 is no grant of 10.0.0.1, and 100.64.0.0/10 none of the metadata in it.
 */
export function rangeGrants(range: AddressRange, address: Address): boolean {
  if (!rangeContains(range, address)) return false;
  const { class: addressClass, range: decisive } = classifyAddress(address);
  return addressClass === "public" || rangeWithin(range, decisive);
}

function embeddedAddress(embedding: Embedding, address: Address): Address {
  return { family: 4, value: (address.value >> BigInt(embedding.shift)) & 0xffff_ffffn };
}

function longest(ranges: readonly SpecialRange[]): SpecialRange {
  return ranges.reduce((best, range) => (range.length > best.length ? range : best));
}
