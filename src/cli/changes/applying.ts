import type { ChangeApply, ChangesApplied } from "../../protocol/changes.ts";
import { sandboxPath } from "../api.ts";
import { type Caller, tell } from "../caller.ts";
import { makeOneLine } from "../error-text.ts";
import type { VerbContext } from "../verb.ts";
import { showPath } from "./diff-text.ts";

/** Applies changes of the sandbox, and says what came out and what did not. */
export async function applyAndTell(
  { api, caller }: Pick<VerbContext, "api" | "caller">,
  {
    name,
    body,
    isJson,
    to = caller.output,
  }: { name: string; body: ChangeApply; isJson: boolean; to?: NodeJS.WritableStream },
): Promise<ChangesApplied> {
  const done = await api.post<ChangesApplied>(sandboxPath(name, "/changes/apply"), body);
  if (isJson) caller.output.write(`${JSON.stringify(done, undefined, 2)}\n`);
  else report(done, { caller, name, to });
  return done;
}

function report(
  { applied, held }: ChangesApplied,
  { caller, name, to }: { caller: Caller; name: string; to: NodeJS.WritableStream },
): void {
  for (const { path, kind } of applied) to.write(`${kind} ${showPath(path)}\n`);
  if (applied.length === 0 && held.length === 0) tell(caller, "Nothing has changed.");
  if (held.length === 0) return;
  tell(caller, `cattlegrid: held back, because your machine could execute or obey it later:`);
  for (const { path, holds } of held) {
    const reasons = holds.map(({ reason }) => makeOneLine(reason)).join("; ");
    tell(caller, `  ${showPath(path)}: ${reasons}`);
  }
  tell(caller, `  Look with \`cattlegrid diff ${name} PATH\`. To let one through:`);
  tell(caller, `  \`cattlegrid stop ${name}\`, then \`cattlegrid apply ${name} --approve PATH\`.`);
}
