import type {
  Policy,
  PolicyPresets,
  PolicyRule,
  PolicyForecast,
  RuleAdded,
  RuleAddition,
  RulesRemoved,
} from "../../protocol/policy.ts";
import { sandboxPath, type Api } from "../api.ts";
import { tell, type Caller } from "../caller.ts";
import { makeOneLine } from "../output/error-text.ts";
import { renderTable } from "../output/table.ts";

export async function showPolicy(api: Api, name: string): Promise<Policy> {
  return api.get<Policy>(sandboxPath(name, "/egress/policy"));
}

export function renderPolicy(policy: Policy): string {
  const parts = [`preset: ${policy.preset}\n`, renderRules(policy.rules)];
  for (const { layer, path, rules } of policy.ceilings) {
    const limit = rules.length === 0 ? "nothing" : "what these rules allow, too";
    parts.push(`\nThe ${layer} policy ${makeOneLine(path)} lets out only ${limit}:\n`);
    if (rules.length > 0) parts.push(renderRules(rules));
  }
  return parts.join("");
}

export function renderRules(rules: readonly PolicyRule[]): string {
  if (rules.length === 0) return "no rules: nothing may leave\n";
  const rows = rules.map((rule) => [rule.id, rule.effect, rule.text, rule.source, note(rule)]);
  return renderTable(["ID", "EFFECT", "RULE", "FROM", "NOTE"], rows);
}

function note({ reason, carriesDataOut }: PolicyRule): string {
  const warning = carriesDataOut === undefined ? [] : [`can carry data out: ${carriesDataOut}`];
  return [...(reason === undefined ? [] : [reason]), ...warning].join("; ");
}

export interface Addition extends Omit<RuleAddition, "rule"> {
  rules: readonly string[];
}

export async function addRules(
  { api, caller }: { api: Api; caller: Caller },
  name: string,
  { rules, ...rest }: Addition,
): Promise<readonly RuleAdded[]> {
  const added: RuleAdded[] = [];
  for (const rule of rules) {
    const answer = await api.post<RuleAdded>(sandboxPath(name, "/egress/rules"), { rule, ...rest });
    const { text, id, effect, carriesDataOut } = answer.rule;
    const done = effect === "allow" ? "is allowed" : "is denied";
    tell(caller, `cattlegrid: ${makeOneLine(text)} ${done} in ${name} from now on (rule ${id}).`);
    if (carriesDataOut !== undefined) {
      tell(caller, `cattlegrid: it can carry data out: ${carriesDataOut}.`);
    }
    if (answer.notice !== undefined) tell(caller, `cattlegrid: ${makeOneLine(answer.notice)}`);
    added.push(answer);
  }
  return added;
}

export async function removeRules(
  { api, caller }: { api: Api; caller: Caller },
  name: string,
  rules: readonly string[],
): Promise<readonly PolicyRule[]> {
  const removed: PolicyRule[] = [];
  for (const rule of rules) {
    const path = sandboxPath(name, "/egress/rules/remove");
    const answer = await api.post<RulesRemoved>(path, { rule });
    for (const { effect, text, source } of answer.rules) {
      const what = `the ${effect} rule ${makeOneLine(text)} (from ${source})`;
      tell(caller, `cattlegrid: ${what} is gone from ${name}.`);
    }
    removed.push(...answer.rules);
  }
  return removed;
}

export function renderForecast(forecast: PolicyForecast): string {
  const { action, reasonCode, reason, rule, inspected, dependsOnAddress, remedy } = forecast;
  const lines = [`${action} (${reasonCode}): ${reason}`];
  if (rule !== undefined) lines.push(`rule: ${rule.text} (${rule.id}, from ${rule.source})`);
  if (inspected) lines.push("inspected: each HTTP request on the connection is judged by itself");
  if (dependsOnAddress && action === "allow") {
    lines.push("address: judged when the name is dialled; --address ADDRESS judges it now");
  }
  if (remedy !== undefined) lines.push(remedy);
  return `${lines.map(makeOneLine).join("\n")}\n`;
}

export function renderPresets({ presets }: PolicyPresets): string {
  return renderTable(
    ["PRESET", "ALLOWS"],
    presets.map(({ name, summary }) => [name, summary]),
  );
}

/** One preset as the policy file that says the same. */
export function renderPreset({ presets, agents }: PolicyPresets, name: string): string | undefined {
  const preset = presets.find((each) => each.name === name);
  if (preset === undefined) return undefined;
  const lines = [`# ${preset.name}: ${preset.summary}`, "preset: locked"];
  const rules = preset.rules.map((rule) => renderEntry(rule));
  const ofAgents = preset.includesAgent
    ? agents.flatMap((agent) => [
        `  # for the agent ${agent.id}:`,
        ...agent.rules.map((rule) => renderEntry(rule)),
      ])
    : [];
  const all = [
    ...ofAgents,
    ...(ofAgents.length > 0 && rules.length > 0 ? ["  # for all:"] : []),
    ...rules,
  ];
  lines.push(all.length === 0 ? "allow: []" : "allow:", ...all, "deny: []");
  return `${lines.join("\n")}\n`;
}

function renderEntry(rule: PolicyRule): string {
  const comment = note(rule);
  return `  - "${rule.text}"${comment === "" ? "" : ` # ${makeOneLine(comment)}`}`;
}
