/** What the kernel is asked by netlink, as bytes: for this machine's kernel, or to be carried to another one. */

export const ROUTE_PROTOCOL = 0;
export const NETFILTER_PROTOCOL = 12;

const HEADER_BYTES = 16;
const ATTRIBUTE_BYTES = 4;
const NESTED = 0x8000;
const REQUEST = 0x1;
const ACKNOWLEDGE = 0x4;
const CREATE = 0x400;
const APPEND = 0x800;
const KIND_ERROR = 2;

const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const FAMILIES = { ipv4: 2, ipv6: 10 };
const LOOPBACK = 1;
const UP = 1;
const RTA_OIF = 4;
const IFA_LOCAL = 2;
/** The last one of the range that stands for names, which stands for none itself. */
const OWN_ADDRESS = [198, 19, 255, 255];
const ROUTE = { table: 255, protocol: 4, scope: 254, type: 2 };

export type RequestFlag = "acknowledged" | "create" | "append";

const FLAGS: Readonly<Record<RequestFlag, number>> = {
  acknowledged: ACKNOWLEDGE,
  create: CREATE,
  append: APPEND,
};

export function netlinkRequest(
  type: number,
  flags: readonly RequestFlag[],
  ...parts: readonly Uint8Array[]
): Buffer {
  const payload = Buffer.concat(parts);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES + payload.length, 0);
  header.writeUInt16LE(type, 4);
  const bits = flags.reduce((sum, flag) => sum | FLAGS[flag], REQUEST);
  header.writeUInt16LE(bits, 6);
  return Buffer.concat([header, payload]);
}

export function attribute(type: number, value: Uint8Array): Buffer {
  const header = Buffer.alloc(ATTRIBUTE_BYTES);
  header.writeUInt16LE(ATTRIBUTE_BYTES + value.length, 0);
  header.writeUInt16LE(type, 2);
  return Buffer.concat([header, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

export function nestedAttribute(type: number, ...attributes: readonly Uint8Array[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(attributes));
}

/** The error numbers in what the kernel answered, 0 for each request that was done. */
export function readAcknowledgements(bytes: Buffer): readonly number[] {
  const found: number[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    const isError = bytes.readUInt16LE(at + 4) === KIND_ERROR && length >= HEADER_BYTES + 4;
    if (isError) found.push(-bytes.readInt32LE(at + HEADER_BYTES));
    at += Math.ceil(length / 4) * 4;
  }
  return found;
}

/**
 * Brings the loopback interface up and makes every IPv4 and IPv6 address local to it, so that any connect() stays in the
 * namespace. Programs that look up IPv4 addresses only where there are any, as the C library can, do not count those of
 * 127.0.0.0/8, so the interface has one more. Each is to be acknowledged.
 */
export function loopbackRequests(families: readonly ("ipv4" | "ipv6")[]): readonly Buffer[] {
  return [linkUp(), ownAddress(), ...families.map((family) => localRoute(FAMILIES[family]))];
}

function linkUp(): Buffer {
  const link = Buffer.alloc(16);
  link.writeInt32LE(LOOPBACK, 4);
  link.writeUInt32LE(UP, 8);
  link.writeUInt32LE(UP, 12);
  return netlinkRequest(RTM_NEWLINK, ["acknowledged"], link);
}

function ownAddress(): Buffer {
  const address = Buffer.alloc(8);
  address.writeUInt8(FAMILIES.ipv4, 0);
  address.writeUInt8(32, 1);
  address.writeInt32LE(LOOPBACK, 4);
  const local = attribute(IFA_LOCAL, Uint8Array.from(OWN_ADDRESS));
  return netlinkRequest(RTM_NEWADDR, ["acknowledged", "create"], address, local);
}

function localRoute(family: number): Buffer {
  const route = Buffer.alloc(12);
  route.writeUInt8(family, 0);
  route.writeUInt8(ROUTE.table, 4);
  route.writeUInt8(ROUTE.protocol, 5);
  route.writeUInt8(ROUTE.scope, 6);
  route.writeUInt8(ROUTE.type, 7);
  const out = Buffer.alloc(4);
  out.writeUInt32LE(LOOPBACK, 0);
  return netlinkRequest(RTM_NEWROUTE, ["acknowledged", "create"], route, attribute(RTA_OIF, out));
}
