import { CattlegridError } from "../../errors/error.ts";
import type { Change, ChangeApply } from "../../protocol/changes.ts";
import { usage } from "../arguments.ts";
import type { Caller } from "../caller.ts";
import { headline, hunkHead, paintLine, renderNotes, type Paint } from "./diff-text.ts";

/** What of the changes is to be applied. */
export interface Choice {
  paths: string[];
  hunks: NonNullable<ChangeApply["hunks"]>;
}

/** Reads `--hunk PATH:1,3`; hunks count from 1, as they are shown. */
export function readHunkFlags(flags: readonly string[], changes: readonly Change[]): Choice {
  const hunks = flags.map((flag) => {
    const [, path, numbers] = /^(.*):(\d+(?:,\d+)*)$/s.exec(flag) ?? [];
    if (path === undefined || numbers === undefined) {
      throw usage("apply", `--hunk ${JSON.stringify(flag)} is not of the form PATH:NUMBER,….`);
    }
    const change = changes.find((each) => each.path === path);
    const chosen = numbers.split(",").map((number) => Number(number) - 1);
    const count = change?.hunks?.length ?? 0;
    if (change === undefined || chosen.some((number) => number < 0 || number >= count)) {
      const message = `${path} has ${count === 0 ? "no hunks" : `${count} hunks`} to choose from.`;
      throw new CattlegridError("CHANGE_NOT_FOUND", message);
    }
    return { path, fingerprint: change.fingerprint, hunks: chosen };
  });
  return { paths: hunks.map(({ path }) => path), hunks };
}

type Answer = "yes" | "no" | "end";

/** Asks about each hunk, and about each change that has none. */
export async function askForHunks(
  changes: readonly Change[],
  caller: Caller,
  paint: Paint,
): Promise<Choice> {
  const choice: Choice = { paths: [], hunks: [] };
  for (const change of changes) {
    if (change.after?.kind === "directory") continue;
    caller.errors.write(`${[headline(change), ...renderNotes(change, paint)].join("\n")}\n`);
    if (!(await askForChange(change, choice, { caller, paint }))) break;
  }
  return choice;
}

/** False when the person has had enough. */
async function askForChange(
  change: Change,
  choice: Choice,
  { caller, paint }: { caller: Caller; paint: Paint },
): Promise<boolean> {
  const { path, fingerprint, hunks = [] } = change;
  if (change.kind !== "modified" || hunks.length < 2) {
    for (const hunk of hunks) showHunk(caller, hunk, paint);
    const answer = await ask(caller, "Apply this change?");
    if (answer === "yes") choice.paths.push(path);
    return answer !== "end";
  }
  const chosen: number[] = [];
  for (const [number, hunk] of hunks.entries()) {
    showHunk(caller, hunk, paint);
    const answer = await ask(caller, `Apply hunk ${number + 1} of ${hunks.length}?`);
    if (answer === "end") return false;
    if (answer === "yes") chosen.push(number);
  }
  if (chosen.length > 0) choice.paths.push(path);
  const isPartial = chosen.length > 0 && chosen.length < hunks.length;
  if (isPartial) choice.hunks.push({ path, fingerprint, hunks: chosen });
  return true;
}

function showHunk(
  { errors }: Caller,
  hunk: NonNullable<Change["hunks"]>[number],
  paint: Paint,
): void {
  errors.write(`${paint.place(hunkHead(hunk))}\n`);
  for (const line of hunk.lines) errors.write(`${paintLine(line, paint)}\n`);
}

async function ask({ input, errors: output }: Caller, message: string): Promise<Answer> {
  const prompts = await import("@clack/prompts");
  const answer = await prompts.select<Answer>({
    message,
    options: [
      { value: "yes", label: "yes" },
      { value: "no", label: "no" },
      { value: "end", label: "end here; apply what was chosen" },
    ],
    input,
    output,
  });
  if (prompts.isCancel(answer)) throw new CattlegridError("INTERRUPTED", "Nothing was applied.");
  return answer;
}
