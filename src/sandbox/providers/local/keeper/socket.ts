import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";
import type { NetworkNamespace } from "./network.ts";

/** Makes objects of the raw sockets that the channel to the engine can carry: TCP, then UDP. */
export function adoptSockets(network: NetworkNamespace): readonly (Server | Socket)[] {
  const tcp = createServer().listen({ fd: network.tcpFd });
  const udp4 = createSocket("udp4").bind({ fd: network.udp4Fd });
  if (network.udp6Fd === undefined) return [tcp, udp4];
  return [tcp, udp4, createSocket("udp6").bind({ fd: network.udp6Fd })];
}
