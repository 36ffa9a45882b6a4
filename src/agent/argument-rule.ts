import { assert } from "../errors/error.ts";
import type { AgentAdapter } from "./agent.ts";

/** `auto`: the first argument decides. */
export type ArgumentRule = "auto" | "append" | "replace";

export interface ResolvedCommand {
  argv: readonly string[];
  /** Runs alone: no sign-in before it. */
  isStandalone: boolean;
}

type Commanded = Pick<AgentAdapter, "command" | "standaloneWords">;

/**
 * What `run AGENT -- ARGS` runs. Nothing: the default command. A first argument that begins with `-` joins the
 * default arguments; a bare word, and a word that runs alone, takes their place. The program always stays.
 */
export function resolveCommand(
  adapter: Commanded,
  args: readonly string[],
  rule: ArgumentRule = "auto",
): ResolvedCommand {
  const [program] = adapter.command;
  assert(program !== undefined, "an agent adapter without a program");
  const [first] = args;
  if (first === undefined) return { argv: adapter.command, isStandalone: false };
  const isStandalone = adapter.standaloneWords.includes(first);
  const appends = rule === "auto" ? first.startsWith("-") && !isStandalone : rule === "append";
  return { argv: [...(appends ? adapter.command : [program]), ...args], isStandalone };
}
