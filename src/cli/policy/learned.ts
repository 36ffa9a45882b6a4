import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Sandbox } from "../../protocol/sandbox.ts";
import type { LearnedPolicy } from "../../protocol/policy.ts";
import { sandboxPath } from "../api.ts";
import { canAsk, tell } from "../caller.ts";
import { makeOneLine } from "../output/error-text.ts";
import { Lease } from "../lease.ts";
import type { VerbContext } from "../verb.ts";

const NAMES_SHOWN = 5;

export interface Learning {
  /** Where the policy goes as a file too. */
  file: string | undefined;
  /** Whether a person may be asked about wildcards. */
  asks: boolean;
}

/** Runs `work` in a throw-away sandbox, then prints the smallest policy that would have allowed what it wanted. */
export async function learnFrom(
  context: VerbContext,
  { sandbox, learning }: { sandbox: Sandbox; learning: Learning },
  work: () => Promise<number>,
): Promise<number> {
  const { api, caller } = context;
  await using _lease = await Lease.take(api, sandbox.id);
  const exitCode = await work();
  // Its record is whole once it has stopped.
  await api.post(sandboxPath(sandbox.id, "/stop"));
  const learned = await api.get<LearnedPolicy>(sandboxPath(sandbox.id, "/egress/learned"));
  const wildcards = learning.asks && canAsk(caller) ? await confirmWildcards(learned) : [];
  const policy = renderLearned(learned, wildcards);
  caller.output.write(policy.diff);
  if (learning.file !== undefined) {
    const path = resolve(caller.directory, learning.file);
    await writeFile(path, policy.text);
    tell(caller, `cattlegrid: the policy is in ${path}; use it with --policy ${path}`);
  }
  return exitCode;
}

/** Asks for each wildcard by itself; whoever does not say yes keeps the exact names. */
async function confirmWildcards({ families }: LearnedPolicy): Promise<string[]> {
  const { confirm } = await import("@clack/prompts");
  const chosen: string[] = [];
  for (const { pattern, names } of families) {
    const options = {
      message: `Allow every name of the form ${pattern}? The run used ${listNames(names)}.`,
      active: "Yes, every one",
      inactive: "No, only those",
      initialValue: false,
      output: process.stderr,
    };
    if ((await confirm(options)) === true) chosen.push(pattern);
  }
  return chosen;
}

/** Some of them, when there are many. */
export function listNames(names: readonly string[]): string {
  const shown = names.length > NAMES_SHOWN + 1 ? names.slice(0, NAMES_SHOWN) : names.slice(0, -1);
  const left = names.length - shown.length;
  const last = left === 1 ? names.at(-1) : `${left} others`;
  return `${shown.join(", ")} and ${last}`;
}

/** The policy as a file, and its difference to what was in force. */
export function renderLearned(
  learned: LearnedPolicy,
  wildcards: readonly string[] = [],
): { text: string; diff: string } {
  const rules = applyWildcards(learned, wildcards);
  const kept = new Set(rules.map(({ text }) => text));
  const before = new Set(learned.inForce.map(({ text }) => text));
  const gone = learned.inForce.filter(({ text }) => !kept.has(text));
  const head = ["preset: locked", rules.length === 0 ? "allow: []" : "allow:"];
  const tail =
    learned.deny.length === 0
      ? []
      : ["deny:", ...learned.deny.map(({ text }) => `  - ${JSON.stringify(text)}`)];
  const allow = rules.map((rule) => ({ line: renderEntry(rule), isNew: !before.has(rule.text) }));
  const text = [...head, ...allow.map(({ line }) => line), ...tail, ""].join("\n");
  const diff = [
    "--- the policy in force",
    "+++ the smallest policy that would have allowed this run",
    ...head.map((line) => ` ${line}`),
    ...gone.map(({ text: rule }) => `-  - ${JSON.stringify(rule)} # not used`),
    ...allow.map(({ line, isNew }) => `${isNew ? "+" : " "}${line}`),
    ...tail.map((line) => ` ${line}`),
    ...renderRemarks(learned, wildcards),
    "",
  ].join("\n");
  return { text, diff };
}

type LearnedRule = LearnedPolicy["rules"][number];

function applyWildcards(
  { rules, families }: LearnedPolicy,
  wildcards: readonly string[],
): LearnedRule[] {
  const merged = new Map<string, LearnedRule>();
  for (const rule of rules) {
    const family = families.find(({ pattern, names }) => {
      return wildcards.includes(pattern) && names.includes(rule.text.split(":")[0] ?? "");
    });
    const text =
      family === undefined ? rule.text : family.pattern + rule.text.slice(rule.text.indexOf(":"));
    const known = merged.get(text);
    const allowed = rule.allowed + (known?.allowed ?? 0);
    const refused = rule.refused + (known?.refused ?? 0);
    merged.set(text, { ...rule, text, allowed, refused });
  }
  return [...merged.values()];
}

function renderEntry({ text, allowed, refused, carriesDataOut }: LearnedRule): string {
  const counts = [
    ...(allowed > 0 ? [`used ${times(allowed)}`] : []),
    ...(refused > 0 ? [`refused ${times(refused)}`] : []),
    ...(carriesDataOut === undefined ? [] : [`can carry data out: ${carriesDataOut}`]),
  ];
  return `  - ${JSON.stringify(text)} # ${makeOneLine(counts.join("; "))}`;
}

function renderRemarks({ left, families }: LearnedPolicy, wildcards: readonly string[]): string[] {
  return [
    ...left.map(
      ({ place, reason, count }) =>
        `# refused ${times(count)} and not suggested: ${makeOneLine(place)}: ${makeOneLine(reason)}`,
    ),
    ...families
      .filter(({ pattern }) => !wildcards.includes(pattern))
      .map(({ pattern, names }) => `# ${pattern} would cover ${names.join(", ")}; it is not taken`),
  ];
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
