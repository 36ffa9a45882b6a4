import { parseArgs } from "node:util";
import { CattlegridError } from "../errors/error.ts";
import { findNearest } from "../platform/nearest-name.ts";

/** What a shell can offer for a word: fixed words, or a kind of name. `place` is a file, or a path in a sandbox (`NAME:`). */
export type Suggestion =
  | "sandbox"
  | "agent"
  | "provider"
  | "secret"
  | "template"
  | "parameter"
  | "place"
  | "file"
  | "directory"
  | "verb"
  | readonly string[];

/** One flag of a verb, as data. */
export interface Flag {
  /**
   * `text` takes a value and the last one counts, `list` collects every value, `switch` takes none, `optional` takes one only when it
   * is joined by `=` and is empty otherwise.
   */
  kind: "text" | "list" | "switch" | "optional";
  /** One letter. */
  short?: string;
  /** What stands for the value in the help. */
  value?: string;
  /** Also understood as `--no-NAME`; the help shows that form alone when `isOn` is the default. */
  negatable?: boolean;
  isOn?: boolean;
  /** What its value can be. */
  suggest?: readonly Suggestion[];
  help: string;
}

export type Flags = Readonly<Record<string, Flag>>;

export type FlagValues<F extends Flags> = {
  [Name in keyof F]: F[Name]["kind"] extends "list"
    ? readonly string[]
    : F[Name]["kind"] extends "text" | "optional"
      ? string | undefined
      : boolean | undefined;
};

/** Where a verb's operands end and what it hands on untouched begins. */
export type Trailing = "none" | "after-dashes" | "after-name";

export interface Grammar<F extends Flags> {
  verb: string;
  flags: F;
  operands: {
    min: number;
    max: number;
    names: string;
    /** What each operand can be; the last one holds for all that follow. Default: the name of a sandbox. */
    suggest?: readonly Suggestion[];
  };
  /** `after-name`: a command begins with `--` or with the second operand, as with `ssh`. */
  trailing: Trailing;
}

export interface ParsedArguments<F extends Flags> {
  flags: FlagValues<F>;
  operands: readonly string[];
  trailing: readonly string[];
  wantsHelp: boolean;
}

type Token = ReturnType<typeof tokenise>[number];
type OptionToken = Extract<Token, { kind: "option" }>;

/** Throws USAGE, naming the argument and the nearest flag there is. */
export function parseArguments<const F extends Flags>(
  grammar: Grammar<F>,
  argv: readonly string[],
): ParsedArguments<F> {
  const end = findEnd(grammar, argv);
  const tokens = tokenise(grammar.flags, argv.slice(0, end));
  const isFlag = (token: Token): token is OptionToken => token.kind === "option";
  const wantsHelp = tokens.some((token) => isFlag(token) && ["h", "help"].includes(token.name));
  const operands = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const rest = argv.slice(end);
  const trailing = rest[0] === "--" ? rest.slice(1) : rest;
  const parsed = { operands, trailing, wantsHelp };
  if (wantsHelp) return { ...parsed, flags: readFlags(grammar, []) };
  const flags = readFlags(grammar, tokens.filter(isFlag));
  checkOperands(grammar, operands, trailing);
  return { ...parsed, flags };
}

function tokenise(flags: Flags, argv: readonly string[]) {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {
    help: { type: "boolean", short: "h" },
  };
  for (const [name, { kind, short }] of Object.entries(flags)) {
    options[name] = {
      type: kind === "switch" || kind === "optional" ? "boolean" : "string",
      ...(short === undefined ? {} : { short }),
    };
  }
  return parseArgs({ args: [...argv], options, strict: false, tokens: true }).tokens;
}

/** The index in `argv` of the first word that is not ours to read. */
function findEnd<F extends Flags>(grammar: Grammar<F>, argv: readonly string[]): number {
  const tokens = tokenise(grammar.flags, argv);
  const dashes = tokens.find(({ kind }) => kind === "option-terminator")?.index ?? argv.length;
  if (grammar.trailing !== "after-name") return dashes;
  const words = tokens.filter(({ kind, index }) => kind === "positional" && index < dashes);
  return words[1]?.index ?? dashes;
}

function checkOperands<F extends Flags>(
  { verb, operands: { min, max, names }, trailing: kind }: Grammar<F>,
  operands: readonly string[],
  trailing: readonly string[],
): void {
  if (kind === "none" && trailing.length > 0) {
    throw usage(verb, `\`${verb}\` takes nothing after \`--\`.`);
  }
  if (operands.length < min) throw usage(verb, `\`${verb}\` needs ${names}.`);
  const extra = operands[max];
  if (extra === undefined) return;
  const allowed = max === 0 ? "no argument" : `only ${names}`;
  throw usage(verb, `\`${verb}\` takes ${allowed}; ${JSON.stringify(extra)} is too many.`);
}

function readFlags<F extends Flags>(
  grammar: Grammar<F>,
  tokens: readonly OptionToken[],
): FlagValues<F> {
  const values: Record<string, string | readonly string[] | boolean | undefined> = {};
  for (const [name, { kind }] of Object.entries(grammar.flags)) {
    values[name] = kind === "list" ? [] : undefined;
  }
  for (const token of tokens) {
    const [name, flag, isNegated] = lookUp(grammar, token);
    if (flag.kind === "optional") values[name] = token.value ?? "";
    else if (flag.kind === "switch") values[name] = readSwitch(grammar.verb, token, isNegated);
    else {
      const value = readValue(grammar.verb, token, flag);
      values[name] = flag.kind === "text" ? value : [...(values[name] as string[]), value];
    }
  }
  return values as FlagValues<F>;
}

function lookUp<F extends Flags>(
  { verb, flags }: Grammar<F>,
  { name, rawName }: OptionToken,
): [string, Flag, boolean] {
  const found = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (found !== undefined) return [name, found, false];
  const positive = name.startsWith("no-") ? name.slice(3) : "";
  const negated = Object.hasOwn(flags, positive) ? flags[positive] : undefined;
  if (negated?.negatable === true) return [positive, negated, true];
  const nearest = rawName.startsWith("--") ? findNearest(name, Object.keys(flags)) : undefined;
  const guess = nearest === undefined ? "" : ` Did you mean --${nearest}?`;
  throw usage(verb, `\`${verb}\` has no flag ${rawName}.${guess}`);
}

function readSwitch(verb: string, { rawName, value }: OptionToken, isNegated: boolean): boolean {
  if (value !== undefined) throw usage(verb, `${rawName} takes no value.`);
  return !isNegated;
}

function readValue(verb: string, token: OptionToken, flag: Flag): string {
  const { rawName, value, inlineValue } = token;
  const wanted = flag.value ?? "VALUE";
  if (value === undefined) throw usage(verb, `${rawName} needs a value: ${rawName} ${wanted}.`);
  if (inlineValue !== true && value.startsWith("-") && value !== "-") {
    const join = rawName.startsWith("--") ? "=" : "";
    const message = `${rawName} is followed by ${value}, which looks like a flag.`;
    throw usage(verb, `${message} If it is the value, write ${rawName}${join}${value}.`);
  }
  return value;
}

export function usage(verb: string, message: string): CattlegridError {
  return new CattlegridError("USAGE", message, { hint: `See \`cattlegrid ${verb} --help\`.` });
}
