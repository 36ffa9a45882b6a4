import { assert, CattlegridError } from "../../errors/error.ts";
import { decide, type Decision } from "./decide.ts";
import { quoteHost, type HostName } from "../host-name.ts";
import type { EgressPolicy } from "./policy.ts";
import { readAllowText, readDenyText } from "./rule-text.ts";
import type { AllowRule, Rule } from "./rule.ts";

/** A rule of a layer that the sandbox's own people cannot change. */
export function isFixed(rule: Rule): boolean {
  return rule.source === "organisation" || rule.source === "template";
}

/** The rules a person means by an id or a text. Throws POLICY_RULE_UNKNOWN or POLICY_RULE_FIXED. */
export function findRules(policy: EgressPolicy, idOrText: string): readonly Rule[] {
  const rules: readonly Rule[] = [...policy.allow, ...policy.deny];
  const found = rules.filter(({ id }) => id === idOrText);
  const meant = found.length > 0 ? found : findByText(rules, idOrText);
  const free = meant.filter((rule) => !isFixed(rule));
  if (free.length > 0) return free;
  const [fixed] = meant;
  if (fixed !== undefined) {
    const message = `The rule ${fixed.text} is part of the ${fixed.source} policy.`;
    throw new CattlegridError("POLICY_RULE_FIXED", message);
  }
  throw new CattlegridError(
    "POLICY_RULE_UNKNOWN",
    `The policy has no rule ${quoteHost(idOrText)}.`,
  );
}

function findByText(rules: readonly Rule[], text: string): readonly Rule[] {
  const told = { broad: true, reason: "asked for" };
  const allow = readAllowText(text, "flag", told);
  const deny = readDenyText(text, "flag");
  const meant = rules.filter(
    (rule) =>
      rule.text === text ||
      (rule.effect === "allow"
        ? allow.ok && rule.text === allow.value.text
        : deny.ok && rule.text === deny.value.text),
  );
  const effects = new Set(meant.map(({ effect }) => effect));
  if (effects.size < 2) return meant;
  const ids = meant.map(({ id }) => id).join(" or ");
  throw new CattlegridError(
    "POLICY_RULE_UNKNOWN",
    `${quoteHost(text)} is both an allow and a deny rule.`,
    { hint: `Name the rule by its id: ${ids}.` },
  );
}

/** What becomes of one connection that the rule is about. */
export function decideSample(
  policy: EgressPolicy,
  { target, ports, protocol }: AllowRule,
): Decision {
  const port = ports[0]?.first;
  assert(port !== undefined, "a set of ports is never empty");
  if (target.kind === "range") {
    const address = { family: target.range.family, value: target.range.base };
    return decide(policy, { kind: "literal", address, port });
  }
  const { kind, name } = target.pattern;
  const sample = kind === "exact" ? name : ["any", name].filter((part) => part !== "").join(".");
  return decide(policy, { kind: "connect", name: sample as HostName, port, protocol });
}
