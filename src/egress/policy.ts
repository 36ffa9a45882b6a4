import type { AllowRule, DenyRule } from "./rule.ts";

/** `locked`: nothing. `agent`: the hosts the agent declares. `open`: everything public. */
export const POLICY_PRESETS = ["locked", "agent", "open"] as const;
export type PolicyPreset = (typeof POLICY_PRESETS)[number];

/** What may leave a sandbox: two unordered sets. Empty sets let nothing out. */
export interface EgressPolicy {
  /** The preset it was built on, for `inspect`. */
  preset: PolicyPreset;
  allow: readonly AllowRule[];
  deny: readonly DenyRule[];
}
