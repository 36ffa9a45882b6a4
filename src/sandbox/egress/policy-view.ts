import type { Learned } from "../../egress/advice/learn.ts";
import type { EgressPolicy } from "../../egress/policy/policy.ts";
import type { Rule } from "../../egress/policy/rule.ts";
import { explainUpload } from "../../egress/policy/upload-host.ts";
import type { LearnedPolicy, Policy, PolicyRule } from "../../protocol/policy.ts";

export function showPolicy(sandbox: string, policy: EgressPolicy): Policy {
  return {
    sandbox,
    preset: policy.preset,
    rules: [...policy.allow, ...policy.deny].map(showRule),
    ceilings: policy.ceilings.map(({ layer, path, allow }) => ({
      layer,
      path,
      rules: allow.map(showRule),
    })),
  };
}

export function showRule(rule: Rule): PolicyRule {
  const { id, effect, text, source, reason } = rule;
  const carriesDataOut = rule.effect === "allow" ? explainUpload(rule) : undefined;
  return {
    id,
    effect,
    text,
    source,
    ...(reason === undefined ? {} : { reason }),
    ...(carriesDataOut === undefined ? {} : { carriesDataOut }),
  };
}

export function showLearned(policy: EgressPolicy, learned: Learned): LearnedPolicy {
  return {
    ...learned,
    rules: learned.rules.map(({ rule, ...counts }) => ({ ...showRule(rule), ...counts })),
    deny: learned.deny.map(showRule),
    inForce: policy.allow.map(showRule),
  };
}
