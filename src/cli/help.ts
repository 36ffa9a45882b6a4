import type { Flag } from "./arguments.ts";
import type { Verb } from "./verb.ts";
import type { VerbEntry } from "./verbs.ts";

/** The page of `cattlegrid --help`. */
export function renderOverview(verbs: Readonly<Record<string, VerbEntry>>): string {
  const rows = Object.entries(verbs).map(([name, { summary }]): [string, string] => [
    name,
    summary,
  ]);
  return [
    "Runs terminal coding agents with full autonomy in disposable, network-fenced sandboxes.",
    "",
    "Usage: cattlegrid VERB [ARGUMENTS]      (cg is the short name of the same program)",
    "",
    ...renderColumns(rows),
    "",
    "`cattlegrid VERB --help` explains one verb. `cattlegrid --version` prints the version.",
    "",
  ].join("\n");
}

/** The page of `cattlegrid VERB --help`. */
export function renderVerb({ grammar, page }: Verb): string {
  const rows = Object.entries(grammar.flags).map(([name, flag]) => describeFlag(name, flag));
  const flags: [string, string][] = [...rows, ["-h, --help", "show this page"]];
  return [
    page.description,
    "",
    `Usage: cattlegrid ${[grammar.verb, page.usage].join(" ").trimEnd()}`,
    "",
    ...renderColumns(flags),
    "",
    `Example: ${page.example}`,
    "",
  ].join("\n");
}

function describeFlag(name: string, flag: Flag): [string, string] {
  const prefix = flag.negatable === true ? (flag.isOn === true ? "no-" : "[no-]") : "";
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const named = flag.value ?? "VALUE";
  const value =
    flag.kind === "switch" ? "" : flag.kind === "optional" ? `[=${named}]` : ` ${named}`;
  const repeats = flag.kind === "list" ? " (repeatable)" : "";
  return [`${short}--${prefix}${name}${value}`, `${flag.help}${repeats}`];
}

const COLUMN_MAX = 32;
const WIDTH = 100;

/** Two columns; what is too wide for the first has the second on the next line. */
export function renderColumns(rows: readonly (readonly [string, string])[]): string[] {
  const widths = rows.map(([left]) => left.length).filter((width) => width <= COLUMN_MAX);
  const column = Math.max(0, ...widths);
  return rows.flatMap(([left, right]) => {
    const [first = "", ...more] = wrap(right, WIDTH - column - 4);
    const indent = " ".repeat(column + 4);
    const head =
      left.length <= column
        ? [`  ${left.padEnd(column)}  ${first}`]
        : [`  ${left}`, indent + first];
    return [...head, ...more.map((line) => indent + line)].map((line) => line.trimEnd());
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
