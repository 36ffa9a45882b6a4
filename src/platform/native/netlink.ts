import { closeSync } from "node:fs";
import { loopbackRequests, readAcknowledgements, ROUTE_PROTOCOL } from "../netlink-message.ts";
import { checkCall, libc, systemError } from "./libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;

const socket = libc.func("int socket(int domain, int type, int protocol)");
const send = libc.func("long send(int fd, void *bytes, size_t length, int flags)");
const recv = libc.func("long recv(int fd, _Out_ void *bytes, size_t length, int flags)");

/** Sets the loopback interface of the calling thread's network namespace up, as `loopbackRequests` says. */
export function openLoopback(families: readonly ("ipv4" | "ipv6")[]): void {
  const fd = checkCall(
    socket(AF_NETLINK, SOCK_RAW_CLOEXEC, ROUTE_PROTOCOL),
    "open a netlink socket",
  );
  try {
    for (const request of loopbackRequests(families)) exchange(fd, request);
  } finally {
    closeSync(fd);
  }
}

function exchange(fd: number, message: Buffer): void {
  checkCall(Number(send(fd, message, message.length, 0)), "send a netlink message");
  const answer = Buffer.alloc(4096);
  const length = checkCall(Number(recv(fd, answer, answer.length, 0)), "read a netlink answer");
  const [errno] = readAcknowledgements(answer.subarray(0, length));
  if (errno === undefined) throw systemError(0, "a netlink answer of another kind");
  if (errno !== 0) throw systemError(errno, "set up the loopback interface");
}
