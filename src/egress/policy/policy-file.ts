import {
  readYamlFile,
  type YamlFile,
  type YamlForm,
  type YamlPath,
} from "../../platform/yaml-file.ts";
import { readAllowEntry, readDenyEntry } from "./policy-entry.ts";
import { policySchema } from "./policy-schema.ts";
import type { PolicyPreset } from "./policy.ts";
import type { Reading } from "./rule-text.ts";
import type { AllowRule, DenyRule, RuleSource } from "./rule.ts";

export interface PolicyFile {
  preset?: PolicyPreset;
  allow: readonly AllowRule[];
  deny: readonly DenyRule[];
}

const FORM: YamlForm<typeof policySchema> = {
  schema: policySchema,
  code: "POLICY_INVALID",
  kind: "a policy",
  noAliases: "Write the rule out in each place.",
  ifEmpty: "Write at least `allow: []`, which lets nothing out.",
  contents: "A policy holds preset, allow and deny; see docs/egress.md for what a rule may say.",
};

/**
 * Reads the text of a policy file. Throws POLICY_INVALID naming file, line, column and the fix; a file
 * that cannot be read as a whole is an error and never a policy that allows more than it says.
 */
export function readPolicyFile(
  file: { path: string; text: string },
  from: RuleSource = "file",
): PolicyFile {
  const read = readYamlFile(file, FORM);
  const { preset, allow = [], deny = [] } = read.value;
  return {
    ...(preset === undefined ? {} : { preset }),
    allow: allow.map((entry, index) => take(read, ["allow", index], readAllowEntry(entry, from))),
    deny: deny.map((entry, index) => take(read, ["deny", index], readDenyEntry(entry, from))),
  };
}

function take<T>(file: YamlFile<unknown>, path: YamlPath, reading: Reading<T>): T {
  if (reading.ok) return reading.value;
  throw file.failAt(path, reading);
}
