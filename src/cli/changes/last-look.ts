import { CattlegridError } from "../../errors/error.ts";
import type { Change, ChangeApply } from "../../protocol/changes.ts";
import type { Sandbox } from "../../protocol/sandbox.ts";
import { tell } from "../caller.ts";
import { renderError } from "../output/error-text.ts";
import type { VerbContext } from "../verb.ts";
import { applyAndTell } from "./applying.ts";
import { renderStatistics } from "./diff-text.ts";
import { fetchChanges, paintFor } from "./listing.ts";

const FAREWELL =
  "cattlegrid: they go with the sandbox. With --keep it stays, for `diff` and `apply`.";

/** What becomes of changes in a copied workspace: the daemon saves them before the sandbox goes. */
export function tellSaved(caller: VerbContext["caller"], name: string): void {
  tell(caller, `cattlegrid: they are saved when the sandbox goes: \`cattlegrid diff ${name}\`,`);
  tell(caller, `  \`cattlegrid apply ${name}\`; \`cattlegrid rm --force ${name}\` drops them.`);
}

/**
 * Before a sandbox goes by itself: shows the changes that go with it, and lets a person take them out first. It asks again after a
 * refusal, as there is no later. Throws INTERRUPTED when the question is left unanswered: then nothing may be lost.
 */
export async function offerChanges(
  { api, caller }: Pick<VerbContext, "api" | "caller">,
  { id, name, workspace }: Sandbox,
  { asks }: { asks: boolean },
): Promise<void> {
  if (workspace?.mode !== "overlay") return;
  const isSaved = workspace.files === "copied";
  const farewell = (): void => (isSaved ? tellSaved(caller, name) : tell(caller, FAREWELL));
  for (;;) {
    const { changes } = await fetchChanges(api, id, { hunks: false });
    if (changes.length === 0) return;
    tell(caller, `cattlegrid: these changes of ${name} are not in your files:`);
    caller.errors.write(renderStatistics(changes, paintFor(caller, caller.errors)));
    const refusal = isSaved ? "not now: save them" : "no, drop them";
    const body = asks ? await askWhatToApply(changes, { caller, refusal }) : undefined;
    if (body === undefined) return farewell();
    const parts = { name: id, body, isJson: false, to: caller.errors, isLast: true };
    try {
      const { held } = await applyAndTell({ api, caller }, parts);
      return held.length === 0 ? undefined : farewell();
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      caller.errors.write(renderError(error));
    }
  }
}

type Answer = "all" | "others" | "none";

/** Undefined for nothing. */
async function askWhatToApply(
  changes: readonly Change[],
  {
    caller: { input, errors: output },
    refusal,
  }: { caller: VerbContext["caller"]; refusal: string },
): Promise<ChangeApply | undefined> {
  const prompts = await import("@clack/prompts");
  const overwrite = pathsOf(changes.filter(({ conflict }) => conflict !== undefined));
  const others = pathsOf(changes.filter(isApart));
  const all = overwrite.length === 0 ? "yes" : "yes, and replace what conflicts";
  const answer = await prompts.select<Answer>({
    message: "Apply them before the sandbox goes? What is held is not applied.",
    options: [
      ...(overwrite.length > 0 && others.length > 0
        ? [{ value: "others", label: "only what does not conflict" } as const]
        : []),
      { value: "all", label: all },
      { value: "none", label: refusal },
    ],
    input,
    output,
  });
  if (prompts.isCancel(answer)) {
    throw new CattlegridError("INTERRUPTED", "The question was left unanswered.");
  }
  if (answer === "all") return { overwrite };
  return answer === "others" ? { paths: others } : undefined;
}

/** Directories stand for all that is in them, conflicts too. */
function isApart({ before, after, conflict }: Change): boolean {
  return conflict === undefined && (after ?? before)?.kind !== "directory";
}

function pathsOf(changes: readonly Change[]): string[] {
  return changes.map(({ path }) => path);
}
