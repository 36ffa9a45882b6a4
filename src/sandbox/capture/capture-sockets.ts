import type { EventEmitter } from "node:events";
import type { Server, Socket } from "node:net";
import type { SocketAddress } from "../../platform/socket-address.ts";

/** Emits `connection` with the socket of each, and `error`. A server of Node's is one. */
export interface CaptureListener extends EventEmitter, Pick<Server, "listening"> {
  close(done?: () => void): unknown;
}

/** Emits `message` with its bytes and who sent them, `error`, and `close` once closed. A datagram socket of Node's is one. */
export interface CaptureDatagrams extends EventEmitter {
  send(...sent: [bytes: Uint8Array, port: number, address: string, done?: () => void]): void;
  close(): unknown;
}

/** The sockets inside a sandbox's network namespace at which every connection and DNS query lands. */
export interface CaptureSockets {
  /** One for IPv4 and IPv6. */
  tcp: CaptureListener;
  /** For DNS, on 127.0.0.1 and ::1. */
  udp: readonly CaptureDatagrams[];
  /** Where a connection was going; undefined when nobody knows. Absent: this machine's kernel says. */
  originalDestination?: (connection: Socket) => SocketAddress | undefined;
}
