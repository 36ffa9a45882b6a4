import { join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import type { QuarantineList } from "../protocol/quarantine.ts";
import type { Sandbox } from "../protocol/sandbox.ts";
import { type Api, sandboxPath } from "./api.ts";
import { type Caller, tell } from "./caller.ts";
import { makeOneLine } from "./output/error-text.ts";

/** Has what the session made for this machine to run moved away, and tells what was. */
export async function tellQuarantined(
  { api, caller }: { api: Api; caller: Caller },
  sandbox: Pick<Sandbox, "id" | "workspace">,
  since: string,
): Promise<void> {
  if (sandbox.workspace?.mode !== "direct") return;
  try {
    await api.post(sandboxPath(sandbox.id, "/quarantine"), {});
  } catch (error) {
    // One that goes with its session has been looked through before.
    if (!CattlegridError.is(error, "SANDBOX_NOT_FOUND")) throw error;
  }
  const { paths } = await api.get<QuarantineList>("/v1/quarantine");
  const moved = paths.filter(
    ({ sandboxId, movedAt }) => sandboxId === sandbox.id && movedAt >= since,
  );
  if (moved.length === 0) return;
  tell(caller, "cattlegrid: moved out of your workspace, as your machine could run it by itself:");
  for (const each of moved)
    tell(caller, `  ${makeOneLine(each.path)}: ${makeOneLine(each.reason)}`);
  const [first] = moved;
  if (first === undefined) return;
  const example = makeOneLine(join(first.workspace, first.path));
  tell(caller, `  Put one back with: cattlegrid quarantine restore ${example}`);
}
