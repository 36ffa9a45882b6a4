/** Addresses of sockets in the kernel's own form (`sockaddr_in`, `sockaddr_in6`). */

const AF_INET = 2;
const AF_INET6 = 10;
const IPV4_BYTES = 16;
const IPV6_BYTES = 28;

export interface Endpoint {
  /** Four or sixteen bytes. */
  address: Uint8Array;
  port: number;
}

export interface SocketAddress {
  /** In decimal for IPv4; eight groups in hexadecimal, none left out, for IPv6. */
  address: string;
  port: number;
}

export function writeEndpoint({ address, port }: Endpoint): Buffer {
  const isIpv4 = address.length === 4;
  const structure = Buffer.alloc(isIpv4 ? IPV4_BYTES : IPV6_BYTES);
  structure.writeUInt16LE(isIpv4 ? AF_INET : AF_INET6, 0);
  structure.writeUInt16BE(port, 2);
  structure.set(address, isIpv4 ? 4 : 8);
  return structure;
}

/** Undefined for what is no address of IP. */
export function readSocketAddress(structure: Buffer): SocketAddress | undefined {
  const family = structure.length < IPV4_BYTES ? 0 : structure.readUInt16LE(0);
  if (family === AF_INET) {
    return { address: structure.subarray(4, 8).join("."), port: structure.readUInt16BE(2) };
  }
  if (family !== AF_INET6 || structure.length < IPV6_BYTES) return undefined;
  const groups = [8, 10, 12, 14, 16, 18, 20, 22].map((at) => structure.readUInt16BE(at));
  const address = groups.map((group) => group.toString(16)).join(":");
  return { address, port: structure.readUInt16BE(2) };
}

/** Of an address as `readSocketAddress` writes it. */
export function writeSocketAddress({ address, port }: SocketAddress): Buffer {
  if (!address.includes(":")) {
    return writeEndpoint({ address: Uint8Array.from(address.split("."), Number), port });
  }
  const groups = address.split(":").map((group) => Number.parseInt(group, 16));
  const bytes = groups.flatMap((group) => [group >> 8, group & 0xff]);
  return writeEndpoint({ address: Uint8Array.from(bytes), port });
}
