import { structuredPatch } from "diff";

/** One run of changed lines with its surroundings, as in a unified diff. */
export interface Hunk {
  oldStart: number;
  oldLines: number;
  newStart: number;
  newLines: number;
  /** Each with ` `, `-`, `+` or `\` in front. */
  lines: readonly string[];
}

const CONTEXT_LINES = 3;
const TIME_MAX_MS = 2000;

/** Undefined for texts so far apart that finding the smallest difference takes too long. */
export function findHunks(before: string, after: string): readonly Hunk[] | undefined {
  const options = { context: CONTEXT_LINES, timeout: TIME_MAX_MS };
  const patch = structuredPatch("a", "b", before, after, undefined, undefined, options);
  return patch?.hunks;
}

export function countLines(hunks: readonly Hunk[]): { added: number; removed: number } {
  const lines = hunks.flatMap((hunk) => hunk.lines);
  return {
    added: lines.filter((line) => line.startsWith("+")).length,
    removed: lines.filter((line) => line.startsWith("-")).length,
  };
}

/** `before` with only these of its hunks made; their numbers count from 0. */
export function applyHunks(
  before: string,
  hunks: readonly Hunk[],
  chosen: ReadonlySet<number>,
): string {
  const old = splitLines(before);
  const made: string[] = [];
  let next = 0;
  for (const [number, hunk] of hunks.entries()) {
    // A hunk that removes nothing and has no surroundings names the line it comes after.
    const start = hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1;
    made.push(...old.slice(next, start));
    next = start + hunk.oldLines;
    made.push(...(chosen.has(number) ? newLines(hunk) : old.slice(start, next)));
  }
  made.push(...old.slice(next));
  return made.join("");
}

/** The lines after the hunk, each with its line feed, but for a last one that has none. */
function newLines({ lines }: Hunk): readonly string[] {
  return lines.flatMap((line, index) => {
    if (!line.startsWith(" ") && !line.startsWith("+")) return [];
    const isUnended = lines[index + 1]?.startsWith("\\") === true;
    return [line.slice(1) + (isUnended ? "" : "\n")];
  });
}

function splitLines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}
