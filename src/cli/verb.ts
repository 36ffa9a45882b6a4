import type { Api } from "./api.ts";
import { type Flags, type Grammar, parseArguments, type ParsedArguments } from "./arguments.ts";
import type { Caller } from "./caller.ts";
import type { Signals } from "./signals.ts";

export interface VerbContext {
  caller: Caller;
  api: Api;
  signals: Signals;
}

export interface VerbPage {
  /** What follows the verb on a command line. */
  usage: string;
  description: string;
  example: string;
}

/** One verb of the command line, as its module exports it. */
export interface Verb {
  grammar: Grammar<Flags>;
  page: VerbPage;
  parse(argv: readonly string[]): BoundVerb;
}

export interface BoundVerb {
  wantsHelp: boolean;
  /** Resolves with the exit status. */
  run(context: VerbContext): Promise<number>;
}

export interface VerbDefinition<F extends Flags> extends VerbPage, Grammar<F> {
  run(given: ParsedArguments<F>, context: VerbContext): Promise<number>;
}

/** Keeps the flags' types between a verb's grammar and what runs it. */
export function defineVerb<const F extends Flags>(definition: VerbDefinition<F>): Verb {
  const { usage, description, example, run, ...grammar } = definition;
  return {
    grammar,
    page: { usage, description, example },
    parse(argv) {
      const given = parseArguments(grammar, argv);
      return { wantsHelp: given.wantsHelp, run: (context) => run(given, context) };
    },
  };
}
