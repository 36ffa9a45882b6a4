import type { Socket } from "node:net";
import { CattlegridError } from "../../../../errors/error.ts";
import type { CaptureSockets } from "../../../capture/capture-sockets.ts";
import type { Engine } from "../engine/engine.ts";

/**
 * How the gateway gets its sockets in a container's network: `entered` by this process, made by a short-lived `helper`
 * container and handed out, or held by a `relay` container for as long as the sandbox runs.
 */
export type CaptureWay = "entered" | "helper" | "relay";

/** A container whose network is to be made the gateway's, before anything but its waiting process runs in it. */
export interface CapturedContainer {
  id: string;
  /** The number of its first process, where the engine runs. */
  reportedPid: number;
}

/** What holds a sandbox's connections. */
export interface Capture {
  sockets: CaptureSockets;
  way: CaptureWay;
  /** Resolves with why when nothing comes through any more. Absent: the sockets are the kernel's. */
  lost?: Promise<string>;
  /** Connects to a port of the sandbox's loopback. Throws PORT_CLOSED. */
  connect(port: number): Promise<Socket>;
  /** Lets go of what is held besides the sockets. Idempotent. */
  close(): Promise<void>;
}

/** Where neighbours are made. */
export interface CaptureContext {
  engine: Engine;
  /** What the image is called, for a reader, and by what it is the same for ever. */
  image: { name: string; id: string };
  labels: Readonly<Record<string, string>>;
  /** Of this provider; only this user may enter it. */
  runtimeDirectory: string;
}

/** A container beside a sandbox's, made while that one starts. */
export interface Neighbour {
  /** Once the sandbox's container runs. When it fails nothing of the neighbour is left. */
  open(signal: AbortSignal): Promise<Capture>;
  /** Removes it, opened or not. Idempotent. */
  discard(): Promise<void>;
}

export function unavailable(message: string, hint: string): CattlegridError {
  return new CattlegridError("EGRESS_UNAVAILABLE", message, { hint });
}
