import { existsSync } from "node:fs";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { ProviderList } from "../../protocol/provider.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import type { SecretList } from "../../protocol/secret.ts";
import type { TemplateList } from "../../protocol/template-list.ts";
import { parseChoice } from "../creation/amount.ts";
import type { Api } from "../api.ts";
import { type Caller, write } from "../caller.ts";
import {
  type Candidate,
  completeArguments,
  type Completion,
  type NameSource,
} from "../completion/completion.ts";
import {
  COMPLETION_SCRIPTS,
  DIRECTORIES_LINE,
  FILES_LINE,
  type Shell,
  SHELLS,
} from "../completion/completion-scripts.ts";
import { makeOneLine } from "../output/error-text.ts";
import { defineVerb, type VerbContext } from "../verb.ts";
import { VERBS } from "../verbs.ts";

export const COMPLETION = defineVerb({
  verb: "completion",
  usage: "bash|zsh|fish",
  description:
    "Prints what a shell reads to complete verbs, flags, agents and the names of your sandboxes:\n" +
    'bash  eval "$(cattlegrid completion bash)" in ~/.bashrc\n' +
    "zsh   source <(cattlegrid completion zsh) in ~/.zshrc, after compinit\n" +
    "fish  cattlegrid completion fish > ~/.config/fish/completions/cattlegrid.fish",
  example: "cattlegrid completion bash >> ~/.bashrc",
  operands: { min: 1, max: 1, names: "bash, zsh or fish", suggest: [SHELLS] },
  trailing: "after-dashes",
  flags: {},
  async run({ operands: [name = ""], trailing }, context) {
    const shell = parseChoice(name, "completion", SHELLS);
    const { output } = context.caller;
    // A script always hands on a word, were it an empty one.
    if (trailing.length === 0) await write(output, COMPLETION_SCRIPTS[shell]);
    else await write(output, render(await complete(trailing, shell, context), shell));
    return 0;
  },
});

async function complete(
  words: readonly string[],
  shell: Shell,
  { api, caller }: VerbContext,
): Promise<Completion & { cut: number }> {
  const whole = shell === "bash" ? joinWords(words) : words;
  const [name = "", ...rest] = whole;
  const current = whole.at(-1) ?? "";
  // bash takes the word to begin after the last of the characters at which it breaks words.
  const cut =
    shell === "bash" ? current.length - (words.at(-1) ?? "").replace(/^[=:]$/, "").length : 0;
  if (rest.length === 0) return { candidates: listVerbs(name), cut };
  const entry = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (entry === undefined) return { candidates: [], cut };
  const { grammar } = await entry.load();
  return { ...(await completeArguments(grammar, rest, openNames(api, caller))), cut };
}

function listVerbs(current: string): Candidate[] {
  return Object.entries(VERBS)
    .filter(([name]) => name.startsWith(current))
    .map(([word, { summary }]) => ({ word, about: summary }));
}

/** bash breaks words at `=` and `:` too. */
function joinWords(words: readonly string[]): string[] {
  const joined: string[] = [];
  let isOpen = false;
  for (const word of words) {
    const isBreak = word === "=" || word === ":";
    if ((isBreak || isOpen) && joined.length > 0) joined[joined.length - 1] += word;
    else joined.push(word);
    isOpen = isBreak;
  }
  return joined;
}

/** A person who presses Tab has not asked for anything to be set up: without a state directory there are no names. */
function openNames(api: Api, { paths }: Caller): NameSource {
  const isUsed = existsSync(paths.databaseFile);
  return {
    sandboxes: async () =>
      isUsed ? (await api.get<{ sandboxes: readonly Sandbox[] }>("/v1/sandboxes")).sandboxes : [],
    secrets: async () => (isUsed ? (await api.get<SecretList>("/v1/secrets")).secrets : []),
    templates: async () => (await api.get<TemplateList>("/v1/templates")).templates,
    providers: async () => (await api.get<ProviderList>("/v1/providers")).providers,
    agents: async () => (await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents")).agents,
  };
}

function render({ candidates, paths, cut }: Completion & { cut: number }, shell: Shell): string {
  const lines = candidates.map(({ word, about }) => {
    const shown = makeOneLine(word.slice(cut));
    return shell === "bash" || about === undefined ? shown : `${shown}\t${makeOneLine(about)}`;
  });
  const last = { files: FILES_LINE, directories: DIRECTORIES_LINE };
  return [...lines, ...(paths === undefined ? [] : [last[paths]])]
    .map((line) => `${line}\n`)
    .join("");
}
