import type { AllowRule, DenyRule } from "./rule.ts";

/**
 * `locked`: nothing. `agent`: the hosts the agent declares. `dev`: those, package registries and forges. `open`:
 * everything public.
 */
export const POLICY_PRESETS = ["locked", "agent", "dev", "open"] as const;
export type PolicyPreset = (typeof POLICY_PRESETS)[number];

/** Layers that limit what the others may grant. */
export const CEILING_LAYERS = ["organisation", "template"] as const;
export type CeilingLayer = (typeof CEILING_LAYERS)[number];

/** The most that the layers below may grant; what it denies is among the policy's own deny rules. */
export interface PolicyCeiling {
  layer: CeilingLayer;
  /** The file it came from. */
  path: string;
  allow: readonly AllowRule[];
}

/**
 * What may leave a sandbox: two unordered sets. Empty sets let nothing out. What is allowed must be allowed by
 * every ceiling as well.
 */
export interface EgressPolicy {
  /** The preset it was built on, for `inspect`. */
  preset: PolicyPreset;
  allow: readonly AllowRule[];
  deny: readonly DenyRule[];
  ceilings: readonly PolicyCeiling[];
}
