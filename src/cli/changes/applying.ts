import type { ChangeApply, ChangesApplied } from "../../protocol/changes.ts";
import { sandboxPath } from "../api.ts";
import { type Caller, tell } from "../caller.ts";
import { makeOneLine } from "../output/error-text.ts";
import type { VerbContext } from "../verb.ts";
import { showPath } from "./diff-text.ts";

interface Application {
  name: string;
  body: ChangeApply;
  isJson: boolean;
  /** Default: standard output. */
  to?: NodeJS.WritableStream;
  /** The sandbox goes afterwards, so nobody can approve anything later. Default: false. */
  isLast?: boolean;
}

/** Applies changes of the sandbox, and says what came out and what did not. */
export async function applyAndTell(
  { api, caller }: Pick<VerbContext, "api" | "caller">,
  { name, body, isJson, to = caller.output, isLast = false }: Application,
): Promise<ChangesApplied> {
  const done = await api.post<ChangesApplied>(sandboxPath(name, "/changes/apply"), body);
  if (isJson) caller.output.write(`${JSON.stringify(done, undefined, 2)}\n`);
  else report(done, { caller, name, to, isLast });
  return done;
}

const MERGED = {
  clean: "merged with what you changed",
  marked: "both versions are in it, between marks",
} as const;

function report(
  { applied, held, kept = [] }: ChangesApplied,
  { caller, name, to, isLast }: Required<Omit<Application, "body" | "isJson">> & { caller: Caller },
): void {
  for (const { path, kind, merged } of applied) {
    to.write(`${kind} ${showPath(path)}${merged === undefined ? "" : `: ${MERGED[merged]}`}\n`);
  }
  for (const path of kept) to.write(`kept ${showPath(path)}: as you have it\n`);
  if (applied.length + held.length + kept.length === 0) tell(caller, "Nothing has changed.");
  if (held.length === 0) return;
  tell(caller, `cattlegrid: held back, because your machine could execute or obey it later:`);
  for (const { path, holds } of held) {
    const reasons = holds.map(({ reason }) => makeOneLine(reason)).join("; ");
    tell(caller, `  ${showPath(path)}: ${reasons}`);
  }
  if (isLast) return;
  tell(caller, `  Look with \`cattlegrid diff ${name} PATH\`. To let one through:`);
  tell(caller, `  \`cattlegrid stop ${name}\`, then \`cattlegrid apply ${name} --approve PATH\`.`);
}
