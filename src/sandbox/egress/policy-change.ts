import type { PolicyChange } from "../../egress/policy/compile-policy.ts";
import type { EgressPolicy } from "../../egress/policy/policy.ts";
import { decideSample, isFixed } from "../../egress/policy/policy-rules.ts";
import type { Rule } from "../../egress/policy/rule.ts";
import { readAllowText, readDenyText } from "../../egress/policy/rule-text.ts";
import { assert, CattlegridError } from "../../errors/error.ts";

/** A change that adds a rule. */
export type AddedRule = PolicyChange & { action: "allow" | "deny" };

/** A rule of which the record tells what became. */
export interface ToldChange {
  rule: Rule;
  what: string;
}

/** What was in the policy and is in it no more. */
export function tellDifference(
  before: EgressPolicy,
  after: EgressPolicy,
  what: string,
): ToldChange[] {
  const left = new Set([...after.allow, ...after.deny].map(({ id }) => id));
  const gone = [...before.allow, ...before.deny].filter(({ id }) => !left.has(id));
  return gone.map((rule) => ({ rule, what }));
}

/** What came into the ceilings, and what went. */
export function tellCeilings(before: EgressPolicy, after: EgressPolicy): ToldChange[] {
  const [old, young] = [listCeilings(before), listCeilings(after)];
  const came = young.filter(({ key }) => old.every((other) => other.key !== key));
  const went = old.filter(({ key }) => young.every((other) => other.key !== key));
  return [
    ...came.map(({ rule, layer }) => ({ rule, what: `the ${layer} policy has it now` })),
    ...went.map(({ rule, layer }) => ({ rule, what: `the ${layer} policy has it no more` })),
  ];
}

function listCeilings({ deny, ceilings }: EgressPolicy) {
  const denied = deny.filter(isFixed).map((rule) => ({ rule, layer: rule.source }));
  const allowed = ceilings.flatMap(({ layer, allow }) => allow.map((rule) => ({ rule, layer })));
  const all: { rule: Rule; layer: string }[] = [...denied, ...allowed];
  return all.map((each) => ({ ...each, key: `${each.layer} ${each.rule.id}` }));
}

/** The rule that a change asks for, as rules are shown; undefined when it cannot be read. */
export function readText({ action, rule, source, ...told }: AddedRule): string | undefined {
  const read = action === "allow" ? readAllowText : readDenyText;
  const reading = read(rule, source, told);
  return reading.ok ? reading.value.text : undefined;
}

/** The rule that a change has become. */
export function findAdded(policy: EgressPolicy, change: AddedRule): Rule {
  const text = readText(change);
  const rules: readonly Rule[] = change.action === "allow" ? policy.allow : policy.deny;
  const rule = rules.find((each) => each.source === change.source && each.text === text);
  assert(rule !== undefined, "a rule that compiled is in the policy");
  return rule;
}

/** Refuses an allow rule that a ceiling makes void; gives what else keeps a rule from having its effect. */
export function judgeAddition(
  policy: EgressPolicy,
  rule: Rule,
  sandboxName: string,
): string | undefined {
  if (rule.effect === "deny") return undefined;
  const decision = decideSample(policy, rule);
  if (decision.action === "allow") return undefined;
  const { rule: denying, ceiling } = decision;
  if (ceiling !== undefined) {
    throw new CattlegridError("POLICY_BEYOND_CEILING", `${decision.reason}.`, {
      hint: `Only whoever writes the ${ceiling.layer} policy (${ceiling.path}) can allow it.`,
    });
  }
  if (denying?.effect !== "deny") return undefined;
  if (isFixed(denying)) {
    throw new CattlegridError("POLICY_BEYOND_CEILING", `${decision.reason}.`, {
      hint: `Only whoever writes the ${denying.source} policy can allow it.`,
    });
  }
  return `It is still denied by rule ${denying.text}: cattlegrid policy rm ${sandboxName} ${denying.id}`;
}
