import type { Change, Clash } from "../../protocol/changes.ts";
import { makeOneLine, makePrintable } from "../output/error-text.ts";

/** Paints parts of a text; identity functions where there is no colour. */
export interface Paint {
  bold(text: string): string;
  added(text: string): string;
  removed(text: string): string;
  place(text: string): string;
  warning(text: string): string;
}

const paintWith = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;
const PLAIN = (text: string): string => text;

export function createPaint(hasColour: boolean): Paint {
  if (!hasColour) {
    return { bold: PLAIN, added: PLAIN, removed: PLAIN, place: PLAIN, warning: PLAIN };
  }
  return {
    bold: paintWith(1),
    added: paintWith(32),
    removed: paintWith(31),
    place: paintWith(36),
    warning: paintWith(33),
  };
}

/** All changes as a unified diff, each with what keeps it from coming out. */
export function renderDiff(changes: readonly Change[], paint: Paint): string {
  return withoutMereDirectories(changes)
    .map((change) => renderChange(change, paint))
    .join("");
}

/** A directory that came or went with what is in it says nothing new. */
function withoutMereDirectories(changes: readonly Change[]): readonly Change[] {
  const parents = new Set(changes.flatMap(({ path }) => parentsOf(path)));
  return changes.filter(({ path, before, after, holds, conflict }) => {
    const isMere = [before, after].every((state) => (state?.kind ?? "directory") === "directory");
    const isBoth = before !== undefined && after !== undefined;
    return !isMere || isBoth || holds.length > 0 || conflict !== undefined || !parents.has(path);
  });
}

function parentsOf(path: string): readonly string[] {
  const components = path.split("/").slice(0, -1);
  return components.map((_, index) => components.slice(0, index + 1).join("/"));
}

function renderChange(change: Change, paint: Paint): string {
  const lines = [paint.bold(headline(change)), ...renderNotes(change, paint)];
  for (const [index, clash] of (change.clashes ?? []).entries()) {
    lines.push(...renderClash(clash, `${index + 1} of ${change.clashes?.length}`, paint));
  }
  // Of a conflict the hunks are what `--overwrite` would do; the clashes say why nobody did.
  const hunks = change.clashes === undefined ? (change.hunks ?? []) : [];
  for (const [index, hunk] of hunks.entries()) {
    const number = hunks.length > 1 ? ` hunk ${index + 1} of ${hunks.length}` : "";
    lines.push(paint.place(hunkHead(hunk) + number));
    for (const line of hunk.lines) lines.push(paintLine(line, paint));
  }
  return lines.map((line) => `${line}\n`).join("");
}

function renderClash({ line, host, base, sandbox }: Clash, number: string, paint: Paint): string[] {
  const both: readonly [string, readonly string[], string][] = [
    ["<<<<<<< yours", host, "-"],
    ["||||||| before", base, " "],
    ["======= the sandbox's", sandbox, "+"],
  ];
  return [
    paint.place(`@@ line ${line} @@ clash ${number}`),
    ...both.flatMap(([title, lines, sign]) => [
      paint.place(title),
      ...lines.map((each) => paintLine(sign + each, paint)),
    ]),
    paint.place(">>>>>>>"),
  ];
}

export function hunkHead(hunk: NonNullable<Change["hunks"]>[number]): string {
  const { oldStart, oldLines, newStart, newLines } = hunk;
  return `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`;
}

/** SECURITY: the agent wrote this line; the terminal must neither act on it nor show it in another order. */
export function paintLine(line: string, paint: Paint): string {
  const shown = makePrintable(line).replaceAll(/\p{Bidi_Control}/gu, escapeCharacter);
  if (line.startsWith("+")) return paint.added(shown);
  if (line.startsWith("-")) return paint.removed(shown);
  return shown;
}

function escapeCharacter(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
}

/** What happened to the path, in one line. */
export function headline(change: Change): string {
  return `${change.kind} ${showPath(change.path)}${describeStates(change)}`;
}

export function renderNotes({ holds, conflict, merged }: Change, paint: Paint): string[] {
  const all = [
    ...holds.map(({ class: kind, reason }) => `  held (${kind}): ${reason}`),
    ...(merged ? ["  merged: you changed it too; what is shown here keeps that"] : []),
    ...(conflict === undefined ? [] : [`  conflict: ${conflict}`]),
  ];
  return all.map((note) => paint.warning(makeOneLine(note)));
}

function describeStates({ before, after }: Change): string {
  if (before !== undefined && after !== undefined && before.kind !== after.kind) {
    return `: a ${before.kind} becomes a ${after.kind}${targetOf(after)}`;
  }
  const state = after ?? before;
  const kind = state === undefined || state.kind === "file" ? "" : `a ${state.kind}`;
  const facts = [`${kind}${targetOf(after)}`.trim(), describeMode(before, after)];
  const told = facts.filter((fact) => fact !== "");
  return told.length === 0 ? "" : `: ${told.join(", ")}`;
}

function describeMode(before: Change["before"], after: Change["after"]): string {
  if (after === undefined) return "";
  if (before === undefined) {
    return after.kind === "file" && (after.mode & 0o111) !== 0 ? "executable" : "";
  }
  const [old, made] = [permissions(before), permissions(after)];
  return old === made ? "" : `mode ${old} becomes ${made}`;
}

function targetOf(after: Change["after"]): string {
  return after?.target === undefined ? "" : ` to ${makeOneLine(after.target)}`;
}

function permissions({ mode, kind }: NonNullable<Change["after"]>): string {
  return kind === "link" ? "" : (mode & 0o7777).toString(8).padStart(4, "0");
}

export function showPath(path: string): string {
  return makeOneLine(path).replaceAll(/\p{Bidi_Control}/gu, escapeCharacter);
}

const BAR_COLUMNS = 40;

/** One line for each change with how much of it is new, and a line that sums up. */
export function renderStatistics(all: readonly Change[], paint: Paint): string {
  const changes = withoutMereDirectories(all);
  const names = changes.map(({ path }) => showPath(path));
  const width = Math.min(60, Math.max(0, ...names.map((name) => name.length)));
  const most = Math.max(1, ...changes.map(countLines));
  const rows = changes.map((change, index) => {
    const mark = change.holds.length > 0 ? "  held" : "";
    const conflict =
      change.conflict === undefined ? (change.merged ? "  merged" : "") : "  conflict";
    const name = (names[index] ?? "").padEnd(width);
    return ` ${name} | ${renderBar(change, most, paint)}${paint.warning(mark + conflict)}\n`;
  });
  const sum = (side: "added" | "removed"): number =>
    changes.reduce((total, { lines }) => total + (lines?.[side] ?? 0), 0);
  const paths = changes.length === 1 ? "1 path" : `${changes.length} paths`;
  const added = sum("added");
  const lines = added === 1 ? "1 line" : `${added} lines`;
  return `${rows.join("")} ${paths} changed, ${lines} added, ${sum("removed")} removed\n`;
}

function countLines({ lines }: Change): number {
  return (lines?.added ?? 0) + (lines?.removed ?? 0);
}

function renderBar(change: Change, most: number, paint: Paint): string {
  const { lines, kind, after, before } = change;
  if (lines === undefined)
    return `${kind}${describeStates(change) || `: ${(after ?? before)?.size ?? 0} bytes`}`;
  const scale = (count: number): number =>
    count === 0 ? 0 : Math.max(1, Math.round((count * BAR_COLUMNS) / Math.max(most, BAR_COLUMNS)));
  const bar =
    paint.added("+".repeat(scale(lines.added))) + paint.removed("-".repeat(scale(lines.removed)));
  return `${kind.padEnd(8)} ${countLines(change)} ${bar}`.trimEnd();
}
