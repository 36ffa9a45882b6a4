import { CattlegridError } from "../../errors/error.ts";
import { readPolicyFile } from "./policy-file.ts";
import {
  POLICY_PRESETS,
  type CeilingLayer,
  type EgressPolicy,
  type PolicyCeiling,
  type PolicyPreset,
} from "./policy.ts";
import type { PolicyHost } from "./policy-host.ts";
import { presetRules } from "./preset.ts";
import { readAllowText, readDenyText, type Reading } from "./rule-text.ts";
import type { DenyRule, Rule } from "./rule.ts";

/** The text of a policy file that limits what the other layers may grant. */
export interface CeilingFile {
  layer: CeilingLayer;
  path: string;
  text: string;
}

/** What a person changed while the sandbox was there. */
export type PolicyChange =
  | {
      action: "allow" | "deny";
      /** In the short form of `--allow` and `--deny`. */
      rule: string;
      source: "change" | "session";
      reason?: string | undefined;
      /** Of an allow: the person knows that it is broad. */
      broad?: boolean | undefined;
    }
  /** Takes a rule of a preset, an agent, a file or a flag away. */
  | { action: "remove"; ruleId: string };

export interface PolicyOptions {
  /**
   * `locked`, `agent`, `dev` or `open`. Default: what the file says; a file that names none is the whole policy
   * (`locked`); without a file `agent`.
   */
  preset?: string | undefined;
  file?: { path: string; text: string } | undefined;
  agentHosts: readonly PolicyHost[];
  /** Short forms of `--allow` and `--deny`. */
  allow: readonly string[];
  deny: readonly string[];
  changes?: readonly PolicyChange[];
  /** Default: none. */
  ceilings?: readonly CeilingFile[];
  /** Short forms of what a template denies, which nobody takes away. Default: none. */
  templateDeny?: readonly string[];
}

/** Makes the policy of one sandbox from all its layers. Throws POLICY_INVALID or POLICY_UNKNOWN. Pure. */
export function compilePolicy(options: PolicyOptions): EgressPolicy {
  const { changes = [], agentHosts } = options;
  const file = options.file === undefined ? undefined : readPolicyFile(options.file);
  const preset = choosePreset(options.preset ?? file?.preset, file === undefined);
  const above = (options.ceilings ?? []).map((ceiling) => readCeiling(ceiling, agentHosts));
  const allow = [
    ...presetRules(preset, agentHosts),
    ...(file?.allow ?? []),
    ...options.allow.map((text) => take("--allow", text, readAllowText(text, "flag"))),
    ...changes.flatMap((change) => (change.action === "allow" ? readChange(change) : [])),
  ];
  const deny = [
    ...(file?.deny ?? []),
    ...options.deny.map((text) => take("--deny", text, readDenyText(text, "flag"))),
    ...changes.flatMap((change) => (change.action === "deny" ? readDenyChange(change) : [])),
  ];
  const fixed = (options.templateDeny ?? []).map((text) =>
    take("policy.deny of the template", text, readDenyText(text, "template")),
  );
  const removed = new Set(
    changes.flatMap((change) => (change.action === "remove" ? [change.ruleId] : [])),
  );
  return {
    preset,
    allow: distinct(allow).filter(({ id }) => !removed.has(id)),
    deny: [
      ...distinct(deny).filter(({ id }) => !removed.has(id)),
      ...distinct(fixed),
      ...above.flatMap((ceiling) => ceiling.deny),
    ],
    ceilings: above.map(({ ceiling }) => ceiling),
  };
}

/** A ceiling is a policy like any other; a file that names no preset is the whole of it. */
function readCeiling(
  { layer, ...file }: CeilingFile,
  agentHosts: readonly PolicyHost[],
): { ceiling: PolicyCeiling; deny: readonly DenyRule[] } {
  const { preset = "locked", allow, deny } = readPolicyFile(file, layer);
  const rules = distinct([...presetRules(preset, agentHosts), ...allow]);
  return { ceiling: { layer, path: file.path, allow: rules }, deny: distinct(deny) };
}

function readChange({ rule, source, ...rest }: PolicyChange & { action: "allow" | "deny" }) {
  return take("policy allow", rule, readAllowText(rule, source, rest));
}

function readDenyChange({ rule, source, ...rest }: PolicyChange & { action: "allow" | "deny" }) {
  return take("policy deny", rule, readDenyText(rule, source, rest));
}

function choosePreset(name: string | undefined, isWithoutFile: boolean): PolicyPreset {
  if (name === undefined) return isWithoutFile ? "agent" : "locked";
  const preset = POLICY_PRESETS.find((each) => each === name);
  if (preset !== undefined) return preset;
  throw new CattlegridError("POLICY_UNKNOWN", `There is no policy preset "${name}".`);
}

function take<T>(flag: string, text: string, reading: Reading<T>): T {
  if (reading.ok) return reading.value;
  const shown = JSON.stringify(text);
  throw new CattlegridError("POLICY_INVALID", `${flag} ${shown}: ${reading.problem}`, {
    hint: reading.fix,
  });
}

function distinct<R extends Rule>(rules: readonly R[]): readonly R[] {
  return [...new Map(rules.map((rule) => [rule.id, rule])).values()];
}
