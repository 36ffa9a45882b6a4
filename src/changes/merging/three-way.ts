import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { runGit } from "../../platform/git.ts";
import { MARK_LENGTH, readMarked, type Merge } from "./marked-text.ts";

export interface Sides {
  /** What both began from. */
  base: string;
  host: string;
  sandbox: string;
}

const SIDES = ["host", "base", "sandbox"] as const;
/** Of a mark that no line of the texts looks like; what needs longer ones is made to confuse. */
const MARK_LENGTH_MAX = 500;
/** `git merge-file` ends with the number of clashes, up to this. */
const CLASH_STATUS_MAX = 127;

/**
 * Merges by lines with `git merge-file`, in a directory below `directory` that is gone afterwards. Undefined where the texts cannot
 * be merged, and on a machine without git.
 */
export async function mergeTexts(
  sides: Sides,
  { directory, signal }: { directory: string; signal: AbortSignal },
): Promise<Merge | undefined> {
  const markLength = findMarkLength(sides);
  if (markLength === undefined) return undefined;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const repository = mkdtempSync(join(directory, "merge-"));
  try {
    for (const side of SIDES) writeFileSync(join(repository, side), sides[side], { mode: 0o600 });
    const args = ["merge-file", "--stdout", "--diff3", `--marker-size=${markLength}`, ...SIDES];
    const { code, stdout } = await runGit({ repository, args, signal });
    if (code === 0) return { clashes: [], text: stdout };
    return code <= CLASH_STATUS_MAX ? readMarked(stdout, markLength) : undefined;
  } catch (error) {
    if (CattlegridError.is(error) && error.code === "DEPENDENCY_MISSING") return undefined;
    throw error;
  } finally {
    rmSync(repository, { recursive: true, force: true });
  }
}

/** SECURITY: marks that the agent's text cannot hold, so that nothing in it passes for the end of a side. */
function findMarkLength(sides: Sides): number | undefined {
  let length = MARK_LENGTH;
  for (const side of SIDES) {
    for (const [run] of sides[side].matchAll(/^(?:<{7,}|\|{7,}|={7,}|>{7,})/gm)) {
      length = Math.max(length, run.length + 1);
    }
  }
  return length > MARK_LENGTH_MAX ? undefined : length;
}
