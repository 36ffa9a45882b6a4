import type { Socket } from "node:net";
import type { CaptureSockets } from "../../provider.ts";

/** A container whose network is to be made the gateway's, before anything but its waiting process runs in it. */
export interface CapturedContainer {
  id: string;
  /** The number of its first process, where the engine runs. */
  reportedPid: number;
}

/** What holds a sandbox's connections. */
export interface Capture {
  sockets: CaptureSockets;
  /** By which way the sockets came, for `inspect`. */
  way: "entered" | "helper";
  /** Connects to a port of the sandbox's loopback. Absent: this way cannot. Throws PORT_CLOSED. */
  connect?(port: number): Promise<Socket>;
  /** Lets go of what is held besides the sockets. Idempotent. */
  close(): Promise<void>;
}
