import { isIPv4 } from "node:net";
import type { Socket } from "node:net";
import { readSocketAddress, type SocketAddress } from "../socket-address.ts";
import { libc } from "./libc.ts";

const SOL_IP = 0;
const SOL_IPV6 = 41;
const SO_ORIGINAL_DST = 80;
const IPV4_STRUCTURE_BYTES = 16;
const IPV6_STRUCTURE_BYTES = 28;
const MAPPED = /^::ffff:/i;

const getsockopt = libc.func(
  "int getsockopt(int fd, int level, int option, _Out_ void *value, _Inout_ uint32_t *length)",
);

/**
 * Where the peer of an accepted connection meant to go before the packet filter redirected it. Undefined
 * when the kernel cannot say: the connection was not redirected, or is already gone.
 */
export function readOriginalDestination(socket: Socket): SocketAddress | undefined {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
  const peer = socket.remoteAddress;
  if (fd === undefined || fd < 0 || peer === undefined) return undefined;
  const isIpv4Peer = isIPv4(peer) || MAPPED.test(peer);
  const size = isIpv4Peer ? IPV4_STRUCTURE_BYTES : IPV6_STRUCTURE_BYTES;
  const structure = Buffer.alloc(size);
  const level = isIpv4Peer ? SOL_IP : SOL_IPV6;
  if (getsockopt(fd, level, SO_ORIGINAL_DST, structure, [size]) !== 0) return undefined;
  return readSocketAddress(structure);
}
