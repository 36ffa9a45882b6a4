import type { AgentHost } from "../agent/agent.ts";
import type { StoredSpecification } from "../store/sandbox-rows.ts";
import type { CaptureSockets } from "./provider.ts";

export interface GateRequest {
  sandboxId: string;
  /** Absent: what the file says, `locked` for a file that says nothing, else `agent`. */
  preset?: string | undefined;
  file?: { path: string; text: string } | undefined;
  allow: readonly string[];
  deny: readonly string[];
  /** What the agent declares it needs. */
  hosts: readonly AgentHost[];
  mirrors: StoredSpecification["mirrors"];
}

/** A gateway that accepts, decides and records. */
export interface Gate {
  close(): Promise<void>;
}

/** A policy that compiled; nothing listens yet. */
export interface PreparedGate {
  /** The preset in force. */
  preset: string;
  /** PEM certificates of the mirrors, for the trust stores inside. */
  certificates: readonly string[];
  open(sockets: CaptureSockets): Gate;
}

/** The gateways of all sandboxes and their records. */
export interface Gates {
  /** Throws POLICY_INVALID, POLICY_UNKNOWN or MIRROR_INVALID. */
  prepare(request: GateRequest): PreparedGate;
  /** The recorded decisions as JSON texts, oldest first; `follow` goes on until `signal` aborts. */
  read(sandboxId: string, options: { follow: boolean; signal: AbortSignal }): AsyncIterable<string>;
  /** Removes the records of a sandbox. Idempotent. */
  remove(sandboxId: string): Promise<void>;
}
