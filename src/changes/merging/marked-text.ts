/** A place at which both sides changed the same lines, each into something else. */
export interface Clash {
  /** Where it begins, from 1, in the text in which every clash is left as the host has it. */
  line: number;
  host: readonly string[];
  base: readonly string[];
  sandbox: readonly string[];
}

export interface Merge {
  /** Empty when the changes of both sides fit together. */
  clashes: readonly Clash[];
  /** The changes of both; where they clash, both versions between marks as git writes them. */
  text: string;
}

/** As git makes its marks. */
export const MARK_LENGTH = 7;

const MARKS = ["<", "|", "=", ">"] as const;
const LABELS = [" yours", " before", "", " the sandbox's"] as const;
const SIDES = ["host", "base", "sandbox"] as const;
const OUTSIDE = -1;

/** Reads what `git merge-file --diff3` writes with marks of that length; undefined for what it would not write. */
export function readMarked(output: string, markLength: number): Merge | undefined {
  const reader = new MarkedText(markLength);
  for (const line of output.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    if (!reader.take(line)) return undefined;
  }
  return reader.end();
}

class MarkedText {
  readonly #marks: readonly string[];
  readonly #clashes: (Clash & Record<(typeof SIDES)[number], string[]>)[] = [];
  readonly #text: string[] = [];
  #within = OUTSIDE;
  #line = 1;

  constructor(markLength: number) {
    this.#marks = MARKS.map((mark) => mark.repeat(markLength));
  }

  /** False for a mark out of turn. */
  take(line: string): boolean {
    const mark = this.#marks.findIndex((begin) => line.startsWith(begin));
    if (mark === -1) {
      this.#takeText(line);
      return true;
    }
    if (mark !== this.#within + 1) return false;
    if (mark === 0) this.#clashes.push({ line: this.#line, host: [], base: [], sandbox: [] });
    this.#within = mark === MARKS.length - 1 ? OUTSIDE : mark;
    const end = line.endsWith("\r\n") ? "\r\n" : "\n";
    this.#text.push((MARKS[mark] ?? "").repeat(MARK_LENGTH), LABELS[mark] ?? "", end);
    return true;
  }

  end(): Merge | undefined {
    if (this.#within !== OUTSIDE || this.#clashes.length === 0) return undefined;
    return { clashes: this.#clashes, text: this.#text.join("") };
  }

  #takeText(line: string): void {
    const side = SIDES[this.#within];
    if (side !== undefined) this.#clashes.at(-1)?.[side].push(line.replace(/\r?\n$/, ""));
    if (side === undefined || side === "host") this.#line += 1;
    this.#text.push(line);
  }
}
