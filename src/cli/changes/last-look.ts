import type { Sandbox } from "../../protocol/sandbox.ts";
import { tell } from "../caller.ts";
import type { VerbContext } from "../verb.ts";
import { applyAndTell } from "./applying.ts";
import { renderStatistics } from "./diff-text.ts";
import { fetchChanges, paintFor } from "./listing.ts";

/** Before a sandbox goes by itself: shows the changes that go with it, and lets a person take them out first. */
export async function offerChanges(
  { api, caller }: Pick<VerbContext, "api" | "caller">,
  { id, name, workspace }: Sandbox,
  { asks }: { asks: boolean },
): Promise<void> {
  if (workspace?.mode !== "overlay") return;
  const { changes } = await fetchChanges(api, id, { hunks: false });
  if (changes.length === 0) return;
  tell(caller, `cattlegrid: these changes of ${name} are not in your files:`);
  caller.errors.write(renderStatistics(changes, paintFor(caller, caller.errors)));
  if (asks && (await wantsThem(caller))) {
    await applyAndTell({ api, caller }, { name: id, body: {}, isJson: false, to: caller.errors });
    return;
  }
  tell(
    caller,
    "cattlegrid: they go with the sandbox. With --keep it stays, for `diff` and `apply`.",
  );
}

async function wantsThem({ input, errors: output }: VerbContext["caller"]): Promise<boolean> {
  const prompts = await import("@clack/prompts");
  const message = "Apply them before the sandbox goes? What is held is not applied.";
  return (await prompts.confirm({ message, initialValue: true, input, output })) === true;
}
