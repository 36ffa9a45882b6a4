import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../errors/error.ts";
import { hasErrno } from "../../platform/native/libc.ts";
import { enterNetworkNamespace } from "../../platform/native/namespace.ts";
import { beginTcp, isConnected } from "../../platform/native/raw-socket.ts";
import { IPV4_LOOPBACK, IPV6_LOOPBACK } from "./network.ts";

/** A program that listens and does not accept fills its backlog; then the kernel tries again by itself. */
const CONNECT_MS = 10_000;
const LOOK_EVERY_MS = 2;

export interface Namespaces {
  networkFd: number;
  /** Where the calling thread goes back to. */
  homeFd: number;
}

/**
 * A connection to a port of a sandbox's own loopback, IPv4 before IPv6. SECURITY: made by the keeper inside the
 * sandbox's network namespace, where there is nothing else to reach, and to a loopback address and no other.
 */
export async function connectInside(port: number, namespaces: Namespaces): Promise<number> {
  for (const address of [IPV4_LOOPBACK, IPV6_LOOPBACK]) {
    try {
      return await connect(address, port, namespaces);
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
  throw closedPort(port);
}

export function closedPort(port: number): CattlegridError {
  const message = `Nothing listens on port ${port} of the sandbox's loopback.`;
  return new CattlegridError("PORT_CLOSED", message);
}

function isRefusal(error: unknown): boolean {
  return hasErrno(error, "ECONNREFUSED", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETUNREACH");
}

async function connect(
  address: Uint8Array,
  port: number,
  { networkFd, homeFd }: Namespaces,
): Promise<number> {
  const fd = inNamespace(networkFd, homeFd, () => beginTcp({ address, port }));
  try {
    const deadline = performance.now() + CONNECT_MS;
    while (!isConnected(fd)) {
      if (performance.now() > deadline) {
        throw new CattlegridError("PORT_CLOSED", `Port ${port} of the sandbox does not accept.`);
      }
      await delay(LOOK_EVERY_MS);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Without waiting in between: the thread is everybody's. */
function inNamespace<T>(networkFd: number, homeFd: number, action: () => T): T {
  enterNetworkNamespace(networkFd);
  try {
    return action();
  } finally {
    enterNetworkNamespace(homeFd);
  }
}
