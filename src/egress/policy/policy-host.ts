import type { Protocol } from "./rule.ts";

/** A host the agent declares; an adapter's `AgentHost` is one. */
export interface PolicyHost {
  host: string;
  /** Default 443. */
  port?: number;
  /** Default: tls on 443, http on 80, else opaque. */
  protocol?: Protocol;
  reason: string;
}
