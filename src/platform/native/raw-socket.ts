import { closeSync } from "node:fs";
import { writeEndpoint, type Endpoint } from "../socket-address.ts";
import { checkCall, hasErrno, libc, systemError } from "./libc.ts";

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

const connectCall = libc.func("int connect(int fd, void *address, uint32_t length)");
const getsockopt = libc.func(
  "int getsockopt(int fd, int level, int option, _Out_ void *value, _Inout_ uint32_t *length)",
);
const getpeername = libc.func(
  "int getpeername(int fd, _Out_ void *address, _Inout_ uint32_t *length)",
);
const SOL_SOCKET = 1;
const SO_ERROR = 4;

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

/** Begins a connection from the calling thread's network namespace, without waiting, and returns its fd. */
export function beginTcp(endpoint: Endpoint): number {
  return open(SOCK_STREAM, endpoint, (fd) => {
    const address = writeEndpoint(endpoint);
    try {
      checkCall(connectCall(fd, address, address.length), `connect to port ${endpoint.port}`);
    } catch (error) {
      if (!hasErrno(error, "EINPROGRESS")) throw error;
    }
  });
}

/** Whether a begun connection is open by now. Throws why it cannot be. */
export function isConnected(fd: number): boolean {
  const value = Buffer.alloc(4);
  checkCall(
    getsockopt(fd, SOL_SOCKET, SO_ERROR, value, [value.length]),
    "ask for a socket's error",
  );
  const errno = value.readInt32LE(0);
  if (errno !== 0) throw systemError(errno, "connect");
  const address = Buffer.alloc(28);
  try {
    checkCall(getpeername(fd, address, [address.length]), "ask for a peer");
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOTCONN")) return false;
    throw error;
  }
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
  const structure = writeEndpoint(endpoint);
  checkCall(bind(fd, structure, structure.length), `bind port ${endpoint.port}`);
}
