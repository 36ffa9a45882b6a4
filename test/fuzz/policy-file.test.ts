/** Policy files in odd and broken forms: each is a policy or an error with its place, never anything else. */
import { expect, test } from "vitest";
import { compilePolicy } from "../../src/egress/policy/compile-policy.ts";
import { readAllowText, readDenyText } from "../../src/egress/policy/rule-text.ts";
import type { Rule } from "../../src/egress/policy/rule.ts";
import { CattlegridError } from "../../src/errors/error.ts";
import { Mutator, readCorpus } from "../support/mutation.ts";

const TOKENS = [
  ..."\n  - |: |*|**|&x |*x|[|]|{|}|'|\"|#|---\n|!!|<<: |,opaque|,GET|/**|/../|%2f|0.0.0.0/0|\0|\t".split(
    "|",
  ),
  "\n  - host: ",
  "broad: true",
  "allow:",
];
const CASES = 2_000;

function compileText(text: string): { policy?: ReturnType<typeof compilePolicy>; error?: unknown } {
  try {
    const file = { path: "/p/rules.yaml", text };
    return { policy: compilePolicy({ agentHosts: [], allow: [], deny: [], file }) };
  } catch (error) {
    return { error };
  }
}

test("every file is a policy or an error that names file, line, column and a fix", () => {
  const mutator = new Mutator(readCorpus("policy-file").values(), { seed: 21, tokens: TOKENS });
  let [policies, errors] = [0, 0];
  for (let index = 0; index < CASES; index += 1) {
    const { policy, error } = compileText(mutator.next().toString("utf8"));
    if (policy !== undefined) {
      policies += 1;
      continue;
    }
    errors += 1;
    expect(CattlegridError.is(error, "POLICY_INVALID")).toBe(true);
    const { message, hint } = error as CattlegridError;
    expect(message).toMatch(/^\/p\/rules\.yaml:[0-9]+:[0-9]+: ./);
    expect(hint).not.toBe("");
  }
  expect(Math.min(policies, errors)).toBeGreaterThan(20);
});

/** A rule's text as it is after it was read again. */
function readAgain(rule: Rule): string {
  const told = { broad: true, reason: "as before" };
  const again =
    rule.effect === "allow"
      ? readAllowText(rule.text, "file", told)
      : readDenyText(rule.text, "file");
  return again.ok ? again.value.text : again.problem;
}

test("what a rule says of itself is read back as the same rule", () => {
  const mutator = new Mutator(readCorpus("policy-file").values(), { seed: 22, tokens: TOKENS });
  let compared = 0;
  for (let index = 0; index < CASES; index += 1) {
    const { policy } = compileText(mutator.next().toString("utf8"));
    const rules: readonly Rule[] = [...(policy?.allow ?? []), ...(policy?.deny ?? [])];
    // Several spans of ports are said in files only.
    const short = rules.filter(({ source, ports }) => source !== "preset" && ports.length === 1);
    compared += short.length;
    expect(short.map(readAgain)).toEqual(short.map(({ text }) => text));
  }
  expect(compared).toBeGreaterThan(50);
});
