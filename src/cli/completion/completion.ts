import type { AgentSummary } from "../../protocol/agent.ts";
import type { ProviderSummary } from "../../protocol/provider.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import type { Secret } from "../../protocol/secret.ts";
import type { TemplateSummary } from "../../protocol/template-list.ts";
import type { Flag, Flags, Grammar, Suggestion } from "../arguments.ts";

/** What a shell offers for the word under the cursor. */
export interface Candidate {
  word: string;
  /** Shown beside it by shells that can. */
  about?: string;
}

export interface Completion {
  candidates: readonly Candidate[];
  /** The shell adds names of its own. */
  paths?: "files" | "directories";
}

/** Where live names come from. */
export interface NameSource {
  sandboxes(): Promise<readonly Pick<Sandbox, "name" | "agent" | "status">[]>;
  providers(): Promise<readonly ProviderSummary[]>;
  agents(): Promise<readonly Pick<AgentSummary, "id" | "title">[]>;
  secrets(): Promise<readonly Pick<Secret, "name">[]>;
  templates(): Promise<readonly Pick<TemplateSummary, "name" | "title" | "parameters">[]>;
}

/** What can stand where the last of `words` is, which may be empty. `words` follow the verb. */
export async function completeArguments(
  grammar: Grammar<Flags>,
  words: readonly string[],
  source: NameSource,
): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const place = findPlace(grammar, words.slice(0, -1));
  const naming = { source, words };
  if (place.kind === "trailing") return { candidates: [], paths: "files" };
  if (place.kind === "value") return suggest(place.flag.suggest, current, naming);
  const joined = /^--([\w-]+)=(.*)$/.exec(current);
  if (joined !== null) return suggestJoined(grammar.flags, joined, naming);
  if (current.startsWith("-")) return { candidates: listFlags(grammar.flags, current) };
  const { suggest: kinds = ["sandbox"], max } = grammar.operands;
  if (place.operands >= max) return { candidates: [] };
  const kind = kinds[place.operands] ?? kinds.at(-1);
  return suggest(kind === undefined ? [] : [kind], current, naming);
}

/** `--flag=value` is one word to whoever completes it. */
async function suggestJoined(
  flags: Flags,
  [, name = "", value = ""]: readonly string[],
  naming: Naming,
): Promise<Completion> {
  const { candidates } = await suggest(flags[name]?.suggest, value, naming);
  return { candidates: candidates.map((each) => ({ ...each, word: `--${name}=${each.word}` })) };
}

type Place =
  | { kind: "operand"; operands: number }
  | { kind: "value"; flag: Flag }
  | { kind: "trailing" };

function findPlace({ flags, trailing }: Grammar<Flags>, before: readonly string[]): Place {
  let operands = 0;
  let waiting: Flag | undefined;
  for (const word of before) {
    if (waiting !== undefined) waiting = undefined;
    else if (word === "--") return { kind: "trailing" };
    else if (word.startsWith("-") && word !== "-") waiting = findFlagWithValue(flags, word);
    else operands++;
  }
  if (waiting !== undefined) return { kind: "value", flag: waiting };
  if (trailing === "after-name" && operands > 0) return { kind: "trailing" };
  return { kind: "operand", operands };
}

function findFlagWithValue(flags: Flags, word: string): Flag | undefined {
  const found = Object.entries(flags).find(
    ([name, { short }]) => word === `--${name}` || (short !== undefined && word === `-${short}`),
  )?.[1];
  return found?.kind === "text" || found?.kind === "list" ? found : undefined;
}

function listFlags(flags: Flags, current: string): Candidate[] {
  const own = Object.entries(flags).flatMap(([name, { negatable, isOn, help }]): Candidate[] => {
    const positive =
      negatable === true && isOn === true ? [] : [{ word: `--${name}`, about: help }];
    return negatable === true ? [...positive, { word: `--no-${name}`, about: help }] : positive;
  });
  return filter([...own, { word: "--help", about: "show the verb's page" }], current);
}

/** Where names come from, and the words before that may say whose. */
interface Naming {
  source: NameSource;
  words: readonly string[];
}

async function suggest(
  kinds: readonly Suggestion[] = [],
  current: string,
  naming: Naming,
): Promise<Completion> {
  const found = await Promise.all(kinds.map((kind) => listCandidates(kind, naming)));
  const candidates = filter(found.flat(), current);
  const named = kinds.filter((kind) => typeof kind === "string");
  if (named.includes("directory")) return { candidates, paths: "directories" };
  const hasFiles = named.includes("file") || named.includes("place");
  return hasFiles ? { candidates, paths: "files" } : { candidates };
}

/** Of the templates that the command line names, or of all. */
function listParameters(
  templates: Awaited<ReturnType<NameSource["templates"]>>,
  words: readonly string[],
): Candidate[] {
  const isNamed = ({ name }: { name: string }): boolean =>
    words.includes(name) || words.includes(`--template=${name}`);
  const named = templates.filter(isNamed);
  const found = (named.length > 0 ? named : templates).flatMap(({ parameters }) => parameters);
  const titles = new Map(found.map(({ name, title }) => [name, title]));
  return [...titles].map(([name, title]) => ({ word: `${name}=`, about: title }));
}

async function listCandidates(kind: Suggestion, { source, words }: Naming): Promise<Candidate[]> {
  if (typeof kind !== "string") return kind.map((word) => ({ word }));
  if (kind === "agent") {
    return (await source.agents()).map(({ id, title }) => ({ word: id, about: title }));
  }
  if (kind === "template") {
    return (await source.templates()).map(({ name, title }) => ({ word: name, about: title }));
  }
  if (kind === "parameter") return listParameters(await source.templates(), words);
  if (kind === "secret") return (await source.secrets()).map(({ name }) => ({ word: name }));
  if (kind === "provider") {
    return (await source.providers()).map(({ id, capabilities: { isolation } }) => ({
      word: id,
      about: isolation.join(", "),
    }));
  }
  if (kind !== "sandbox" && kind !== "place") return [];
  const end = kind === "place" ? ":" : "";
  return (await source.sandboxes()).map(({ name, agent, status }) => ({
    word: name + end,
    about: `${agent}, ${status}`,
  }));
}

function filter(candidates: readonly Candidate[], current: string): Candidate[] {
  return candidates.filter(({ word }) => word.startsWith(current));
}
