import type { AgentHost } from "../../agent/agent.ts";
import type { PolicyChange } from "../../egress/policy/compile-policy.ts";
import type { EgressPolicy } from "../../egress/policy/policy.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { StoredSpecification } from "../../store/sandbox-rows.ts";
import type { AddressPolicy, Egress } from "../provider.ts";
import type { CaptureSockets } from "../capture/capture-sockets.ts";

export interface GateRequest {
  sandboxId: string;
  sandboxName: string;
  /** Absent: what the file says, `locked` for a file that says nothing, else `agent`. */
  preset?: string | undefined;
  file?: { path: string; text: string } | undefined;
  allow: readonly string[];
  deny: readonly string[];
  /** The template that the sandbox is made from: what it forbids, nothing said later allows. */
  above?: Pick<ResolvedTemplate, "policy"> | undefined;
  /** What people changed since; default none. */
  changes?: readonly PolicyChange[];
  /** Whether denied names get an address, so that the record tells what is wanted of them. */
  isLearning?: boolean;
  /** What the agent declares it needs. */
  hosts: readonly AgentHost[];
  mirrors: StoredSpecification["mirrors"];
}

/** A gateway with its record: nothing passes before `capture`, nothing after `close`. */
export interface Gate {
  /** From here on every connection at these sockets is decided and recorded; the gate owns them. */
  capture(sockets: CaptureSockets): void;
  readonly isCapturing: boolean;
  /** In force. */
  readonly policy: EgressPolicy;
  /** Holds from now on, for open connections too. */
  setPolicy(policy: EgressPolicy): void;
  /** Bytes that came in from outside so far. */
  readonly receivedBytes: number;
  /** Adds what is no decision of the gateway's to the record. */
  record(record: EgressRecord): void;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A policy that compiled. */
export interface PreparedGate {
  /** The preset in force. */
  preset: string;
  /** What the provider must be able to do to carry the policy. */
  demands: Egress;
  /** Whether connections are led elsewhere, which demands as much as anything. */
  hasMirrors: boolean;
  /** The policy in the words of a backend that knows addresses alone; undefined where those do not do. */
  addresses: AddressPolicy | undefined;
  /** PEM certificates of the inspection authority, the upstream proxy and the mirrors, for the trust stores inside. */
  certificates: readonly string[];
  /** Opens the record. */
  open(): Promise<Gate>;
}

export interface ReadingOptions {
  /** Goes on until `signal` aborts. */
  follow: boolean;
  signal: AbortSignal;
}

/** The gateways of all sandboxes and their records. */
export interface Gates {
  /** Throws POLICY_INVALID, POLICY_UNKNOWN, MIRROR_INVALID, UPSTREAM_INVALID or AUTHORITY_INVALID. */
  prepare(request: GateRequest): PreparedGate;
  /** The policy alone, under ceilings that broke as they were before. Throws POLICY_INVALID or POLICY_UNKNOWN. */
  compile(request: GateRequest): EgressPolicy;
  /** Adds to the record of a sandbox that does not run. */
  append(sandboxId: string, records: readonly EgressRecord[]): Promise<void>;
  /** The recorded decisions, oldest first. */
  read(sandboxId: string, options: ReadingOptions): AsyncIterable<EgressRecord>;
  /** Removes the records of a sandbox. Idempotent. */
  remove(sandboxId: string): Promise<void>;
}
