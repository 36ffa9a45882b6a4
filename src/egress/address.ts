import { isIPv4, isIPv6 } from "node:net";

/** An IP address as a number; an IPv4-mapped IPv6 address is held as the IPv4 address it means. */
export interface Address {
  family: 4 | 6;
  value: bigint;
}

/** All addresses that share the first `length` bits of `base`. */
export interface AddressRange {
  family: 4 | 6;
  base: bigint;
  length: number;
}

const IPV6_GROUPS = 8;
const MAPPED_PREFIX = 0xffffn;

/** Reads the one canonical kind of spelling; octal, hexadecimal, short and zoned forms are not addresses. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: readIpv4(text) };
  if (text.includes("%") || !isIPv6(text)) return undefined;
  const value = readIpv6(text);
  // SECURITY: the kernel treats ::ffff:a.b.c.d as a.b.c.d, so policy must see one address and not two.
  if (value >> 32n === MAPPED_PREFIX) return { family: 4, value: value & 0xffff_ffffn };
  return { family: 6, value };
}

export function formatAddress(address: Address): string {
  if (address.family === 4) return formatIpv4(address.value);
  const groups = Array.from({ length: IPV6_GROUPS }, (_, index) =>
    Number((address.value >> BigInt(16 * (IPV6_GROUPS - 1 - index))) & 0xffffn),
  );
  return compress(groups);
}

/** Reads `address/length`, or a bare address as the range that holds only it. */
export function parseRange(text: string): AddressRange | undefined {
  const [addressText = "", lengthText, ...rest] = text.split("/");
  if (rest.length > 0) return undefined;
  const address = parseAddress(addressText);
  if (address === undefined) return undefined;
  const bits = bitsOf(address.family);
  if (lengthText === undefined)
    return { family: address.family, base: address.value, length: bits };
  if (!/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const isMapped = address.family === 4 && addressText.includes(":");
  const length = Number(lengthText) - (isMapped ? 96 : 0);
  if (length < 0 || length > bits) return undefined;
  return { family: address.family, base: address.value, length };
}

/** Whether bits after the prefix are zero: `10.0.0.1/8` is a mistake somebody should see. */
export function isNetworkAddress(range: AddressRange): boolean {
  return (range.base & hostMask(range)) === 0n;
}

export function formatRange(range: AddressRange): string {
  return `${formatAddress({ family: range.family, value: range.base })}/${range.length}`;
}

export function rangeContains(range: AddressRange, address: Address): boolean {
  if (range.family !== address.family) return false;
  const shift = BigInt(bitsOf(range.family) - range.length);
  return range.base >> shift === address.value >> shift;
}

export function rangeWithin(inner: AddressRange, outer: AddressRange): boolean {
  if (inner.family !== outer.family || inner.length < outer.length) return false;
  return rangeContains(outer, { family: inner.family, value: inner.base });
}

export function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function hostMask(range: AddressRange): bigint {
  return (1n << BigInt(bitsOf(range.family) - range.length)) - 1n;
}

function readIpv4(text: string): bigint {
  return text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
}

function readIpv6(text: string): bigint {
  const dotted = /^(.*:)([0-9]+(?:\.[0-9]+){3})$/.exec(text);
  if (dotted?.[1] !== undefined && dotted[2] !== undefined) {
    const tail = readIpv4(dotted[2]);
    return readIpv6(`${dotted[1]}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`);
  }
  const [head = "", tail] = text.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: IPV6_GROUPS - before.length - after.length }, () => "0");
  const groups = tail === undefined ? before : [...before, ...zeros, ...after];
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

/** RFC 5952: the longest run of zero groups, the first of equals, and no run of one, becomes `::`. */
function compress(groups: readonly number[]): string {
  let best = { start: 0, length: 1 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.length === 1) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}
