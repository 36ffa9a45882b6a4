import { createSocket } from "node:dgram";
import { createServer, Socket } from "node:net";
import { assert } from "../../errors/error.ts";
import type { CaptureSockets } from "./capture-sockets.ts";

/** Takes over capture sockets by their descriptors: TCP, then UDP over IPv4 and, where there is IPv6, over that. */
export function openCaptureSockets([tcpFd, ...udpFds]: readonly number[]): CaptureSockets {
  assert(tcpFd !== undefined, "there is no capturing listener");
  return {
    tcp: createServer().listen({ fd: tcpFd }),
    udp: udpFds.map((fd, index) => createSocket(index === 0 ? "udp4" : "udp6").bind({ fd })),
  };
}

/** Takes over a connection by its descriptor; half open ends stay half open. */
export function openConnection(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
}
