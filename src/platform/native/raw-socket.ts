import { closeSync } from "node:fs";
import { checkCall, libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const BACKLOG = 511;

const socket = libc.func("int socket(int domain, int type, int protocol)");
const bind = libc.func("int bind(int fd, void *address, uint32_t length)");
const listen = libc.func("int listen(int fd, int backlog)");
const setsockopt = libc.func(
  "int setsockopt(int fd, int level, int option, void *value, uint32_t length)",
);

export interface Endpoint {
  /** Four or sixteen bytes. */
  address: Uint8Array;
  port: number;
}

/**
 * Opens a listening socket in the calling thread's network namespace and returns its fd. A
 * sixteen-byte zero address takes connections of both IP versions.
 */
export function listenTcp(endpoint: Endpoint): number {
  return open(SOCK_STREAM, endpoint, (fd) => {
    if (endpoint.address.length === 16) acceptBothVersions(fd);
    bindTo(fd, endpoint);
    checkCall(listen(fd, BACKLOG), "listen");
  });
}

/** Opens a bound datagram socket in the calling thread's network namespace and returns its fd. */
export function bindUdp(endpoint: Endpoint): number {
  return open(SOCK_DGRAM, endpoint, (fd) => bindTo(fd, endpoint));
}

function open(type: number, { address }: Endpoint, prepare: (fd: number) => void): number {
  const family = address.length === 4 ? AF_INET : AF_INET6;
  const fd = checkCall(socket(family, type | NONBLOCK_CLOEXEC, 0), "open a socket");
  try {
    prepare(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

function acceptBothVersions(fd: number): void {
  const off = Buffer.alloc(4);
  checkCall(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, off, off.length), "set IPV6_V6ONLY");
}

function bindTo(fd: number, endpoint: Endpoint): void {
  const { address, port } = endpoint;
  const isIpv4 = address.length === 4;
  const structure = Buffer.alloc(isIpv4 ? 16 : 28);
  structure.writeUInt16LE(isIpv4 ? AF_INET : AF_INET6, 0);
  structure.writeUInt16BE(port, 2);
  structure.set(address, isIpv4 ? 4 : 8);
  checkCall(bind(fd, structure, structure.length), `bind port ${port}`);
}
