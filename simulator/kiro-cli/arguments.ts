import { QuietExit } from "./failure.ts";

export type OptionKind = "flag" | "text";

export type OptionTable = Readonly<Record<string, OptionKind>>;

export interface ParsedArguments {
  has(name: string): boolean;
  value(name: string): string | undefined;
  positionals: readonly string[];
}

export interface Grammar {
  /** As the usage line names it. */
  usage: string;
  options: OptionTable;
  /** Short letters and other names, to the long name they stand for. */
  aliases?: Readonly<Record<string, string>>;
  /** How many words may stand alone. */
  positionalsMax: number;
}

/** Reads arguments as clap does: what it does not know ends the program with 2 and `error: …`. */
export function parseArguments(words: readonly string[], grammar: Grammar): ParsedArguments {
  const values = new Map<string, string>();
  const positionals: string[] = [];
  const queue = [...words];
  let isOnlyWords = false;
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (!isOnlyWords && word === "--") isOnlyWords = true;
    else if (!isOnlyWords && word.startsWith("-") && word !== "-") readOption(word);
    else positionals.push(word);
  }
  const extra = positionals[grammar.positionalsMax];
  if (extra !== undefined) throw usageError(`unexpected argument '${extra}' found`, grammar);
  return { has: (name) => values.has(name), value: (name) => values.get(name), positionals };

  function readOption(word: string): void {
    const [head, inline] = splitOnce(word);
    const short = head.replace(/^-+/, "");
    const name = grammar.aliases?.[short] ?? short;
    const kind = grammar.options[name];
    if (kind === undefined) throw usageError(`unexpected argument '${head}' found`, grammar);
    if (kind === "flag") {
      values.set(name, "");
      return;
    }
    const value = inline ?? queue.shift();
    if (value === undefined) {
      const message = `a value is required for '--${name} <${name.toUpperCase()}>' but none was supplied`;
      throw usageError(message, grammar);
    }
    values.set(name, value);
  }
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf("=");
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function usageError(message: string, grammar: Grammar): QuietExit {
  process.stderr.write(
    `error: ${message}\n\nUsage: ${grammar.usage}\n\nFor more information, try '--help'.\n`,
  );
  return new QuietExit(2);
}
