/** A line of text with one hole, such as `Signed in as {account}`. */
export interface TextPattern {
  before: string;
  after: string;
}

/** Whether `text` has the hole, and no other brace that could be meant as one. */
export function isPattern(text: string, hole: string): boolean {
  const parts = text.split(`{${hole}}`);
  return parts.length === 2 && !parts.join("").includes("{") && !text.includes("\n");
}

export function readPattern(text: string, hole: string): TextPattern {
  const [before = "", after = ""] = text.split(`{${hole}}`);
  return { before, after };
}

/**
 * What stands in the hole of the first line that has it. Texts and not regular expressions: an agent chooses what it
 * prints, and must not choose how long the engine reads it.
 */
export function findInLines(text: string, pattern: TextPattern): string | undefined {
  for (const line of text.split("\n")) {
    const found = findInLine(line.trimEnd(), pattern);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findInLine(line: string, { before, after }: TextPattern): string | undefined {
  const at = line.indexOf(before);
  if (at < 0) return undefined;
  const begin = at + before.length;
  const end = after === "" ? line.length : line.lastIndexOf(after);
  const value = line.slice(begin, Math.max(end, begin)).trim();
  return value === "" ? undefined : value;
}
