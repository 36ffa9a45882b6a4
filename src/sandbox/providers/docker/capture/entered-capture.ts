import { closeSync, openSync, readlinkSync } from "node:fs";
import { CattlegridError } from "../../../../errors/error.ts";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { openNftables } from "../../../../platform/native/nftables.ts";
import { connectInside } from "../../../capture/connection.ts";
import { captureIn } from "../../../capture/network.ts";
import { openCaptureSockets, openConnection } from "../../../capture/sockets.ts";
import type { Capture, CapturedContainer } from "./way.ts";
import { findContainerInit, isContainerInit } from "./container-init.ts";

/**
 * As root on the engine's kernel: enters the container's network namespace for a moment and opens the sockets there, in
 * this very process. Undefined where its first process cannot be seen from here.
 */
export function enterToCapture({ id, reportedPid }: CapturedContainer): Capture | undefined {
  const pid = findContainerInit(id, reportedPid);
  if (pid === undefined) return undefined;
  const networkFd = openNetwork(pid);
  try {
    // SECURITY: looked at again once the namespace is held, as a number may have become another process's meanwhile.
    if (!isContainerInit(pid, id)) throw gone();
    refuseOwnNetwork(networkFd);
    const { tcpFd, udp4Fd, udp6Fd } = captureIn(openNftables(), networkFd);
    const fds = [tcpFd, udp4Fd, ...(udp6Fd === undefined ? [] : [udp6Fd])];
    return new EnteredCapture(networkFd, fds);
  } catch (error) {
    closeSync(networkFd);
    throw error;
  }
}

class EnteredCapture implements Capture {
  readonly way = "entered";
  readonly sockets;
  readonly #networkFd: number;
  #isOpen = true;

  constructor(networkFd: number, fds: readonly number[]) {
    this.#networkFd = networkFd;
    this.sockets = openCaptureSockets(fds);
  }

  async connect(port: number): ReturnType<NonNullable<Capture["connect"]>> {
    const homeFd = openSync("/proc/thread-self/ns/net", "r");
    try {
      if (!this.#isOpen) throw gone();
      return openConnection(await connectInside(port, { networkFd: this.#networkFd, homeFd }));
    } finally {
      closeSync(homeFd);
    }
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#networkFd);
  }
}

/** Throws SANDBOX_NOT_RUNNING when the process ends meanwhile. */
function openNetwork(pid: number): number {
  try {
    return openSync(`/proc/${pid}/ns/net`, "r");
  } catch (error) {
    throw hasErrno(error, "ENOENT", "ESRCH") ? gone() : error;
  }
}

/** SECURITY: the rules would cut this machine's own network off. */
function refuseOwnNetwork(networkFd: number): void {
  if (readlinkSync("/proc/self/ns/net") !== readlinkSync(`/proc/self/fd/${networkFd}`)) return;
  const message = "The sandbox shares a network with this machine.";
  throw new CattlegridError("EGRESS_UNAVAILABLE", message);
}

function gone(): CattlegridError {
  return new CattlegridError("SANDBOX_NOT_RUNNING", "The sandbox has ended.");
}
