import { closeSync } from "node:fs";
import { checkCall, libc, systemError } from "./libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const FAMILIES = { ipv4: 2, ipv6: 10 };
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const REQUEST_ACK = 0x1 | 0x4;
const CREATE = 0x400;
const NLMSG_ERROR = 2;
const HEADER_BYTES = 16;
const LOOPBACK = 1;
const UP = 1;
const RTA_OIF = 4;
const IFA_LOCAL = 2;
/** The last one of the range that stands for names, which stands for none itself. */
const OWN_ADDRESS = [198, 19, 255, 255];
const ROUTE = { table: 255, protocol: 4, scope: 254, type: 2 };

const socket = libc.func("int socket(int domain, int type, int protocol)");
const send = libc.func("long send(int fd, void *bytes, size_t length, int flags)");
const recv = libc.func("long recv(int fd, _Out_ void *bytes, size_t length, int flags)");

/**
 * Brings the loopback interface of the calling thread's network namespace up and makes every IPv4 and
 * IPv6 address local to it, so that any connect() stays in the namespace. Programs that look up IPv4 addresses only
 * where there are any, as the C library can, do not count those of 127.0.0.0/8, so the interface has one more.
 */
export function openLoopback(families: readonly ("ipv4" | "ipv6")[]): void {
  const fd = checkCall(
    socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE),
    "open a netlink socket",
  );
  try {
    exchange(fd, linkUp());
    exchange(fd, ownAddress());
    for (const family of families) exchange(fd, localRoute(FAMILIES[family]));
  } finally {
    closeSync(fd);
  }
}

function exchange(fd: number, message: Buffer): void {
  checkCall(Number(send(fd, message, message.length, 0)), "send a netlink message");
  const answer = Buffer.alloc(4096);
  const length = checkCall(Number(recv(fd, answer, answer.length, 0)), "read a netlink answer");
  if (length < HEADER_BYTES + 4 || answer.readUInt16LE(4) !== NLMSG_ERROR) {
    throw systemError(0, "a netlink answer of another kind");
  }
  const errno = -answer.readInt32LE(HEADER_BYTES);
  if (errno !== 0) throw systemError(errno, "set up the loopback interface");
}

function request(type: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES + payload.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  return Buffer.concat([header, payload]);
}

function linkUp(): Buffer {
  const payload = Buffer.alloc(16);
  payload.writeInt32LE(LOOPBACK, 4);
  payload.writeUInt32LE(UP, 8);
  payload.writeUInt32LE(UP, 12);
  return request(RTM_NEWLINK, REQUEST_ACK, payload);
}

function ownAddress(): Buffer {
  const payload = Buffer.alloc(8 + 8);
  payload.writeUInt8(FAMILIES.ipv4, 0);
  payload.writeUInt8(32, 1);
  payload.writeInt32LE(LOOPBACK, 4);
  payload.writeUInt16LE(8, 8);
  payload.writeUInt16LE(IFA_LOCAL, 10);
  payload.set(OWN_ADDRESS, 12);
  return request(RTM_NEWADDR, REQUEST_ACK | CREATE, payload);
}

function localRoute(family: number): Buffer {
  const payload = Buffer.alloc(12 + 8);
  payload.writeUInt8(family, 0);
  payload.writeUInt8(ROUTE.table, 4);
  payload.writeUInt8(ROUTE.protocol, 5);
  payload.writeUInt8(ROUTE.scope, 6);
  payload.writeUInt8(ROUTE.type, 7);
  payload.writeUInt16LE(8, 12);
  payload.writeUInt16LE(RTA_OIF, 14);
  payload.writeUInt32LE(LOOPBACK, 16);
  return request(RTM_NEWROUTE, REQUEST_ACK | CREATE, payload);
}
