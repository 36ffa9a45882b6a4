import type { AgentSummary } from "./agent.ts";

/** `auto`: the first argument decides. */
export type ArgumentRule = "auto" | "append" | "replace";

export interface ResolvedCommand {
  argv: readonly string[];
  /** Runs alone: no sign-in before it. */
  isStandalone: boolean;
}

type Commanded = Pick<AgentSummary, "command" | "standaloneWords">;

/**
 * What `run AGENT -- ARGS` runs. Nothing: the default command. A first argument that begins with `-` joins the
 * default arguments; a bare word, and a word that runs alone, takes their place. The program always stays.
 */
export function resolveCommand(
  { command, standaloneWords }: Commanded,
  args: readonly string[],
  rule: ArgumentRule = "auto",
): ResolvedCommand {
  const [first] = args;
  if (first === undefined) return { argv: command, isStandalone: false };
  const isStandalone = standaloneWords.includes(first);
  const appends = rule === "auto" ? first.startsWith("-") && !isStandalone : rule === "append";
  return { argv: [...(appends ? command : command.slice(0, 1)), ...args], isStandalone };
}

/** How the words of an agent's own commands change. */
export interface ArgumentChange {
  /** Options that stand by themselves and are left out. */
  without: readonly string[];
  /** Options that come after the others. */
  with: readonly string[];
}

export function changeArguments(
  argv: readonly string[],
  change: ArgumentChange | undefined,
): readonly string[] {
  if (change === undefined) return argv;
  return [...argv.filter((word) => !change.without.includes(word)), ...change.with];
}
