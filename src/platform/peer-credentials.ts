import type { Socket } from "node:net";
import { libc, checkCall } from "./native/libc.ts";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** `struct ucred`: process id, user id, group id. */
const UCRED_BYTES = 12;

const getsockopt = libc.func(
  "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *size)",
);

/**
 * The user who opened the other end of a unix socket. SECURITY: the kernel recorded it when the connection was
 * made; nothing the peer sends has a part in it.
 */
export function readPeerUid(socket: Socket): number {
  const value = Buffer.alloc(UCRED_BYTES);
  const handle = (socket as unknown as { _handle?: { fd?: unknown } })._handle;
  const fd = typeof handle?.fd === "number" ? handle.fd : -1;
  const result: unknown = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, [UCRED_BYTES]);
  checkCall(Number(result), "reading who connected");
  return value.readUInt32LE(4);
}
