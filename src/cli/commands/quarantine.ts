import { join, resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { QuarantinedPath, QuarantineList } from "../../protocol/quarantine.ts";
import { parseChoice } from "../creation/amount.ts";
import { tell } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { makeOneLine } from "../output/error-text.ts";
import { forEachName } from "../names.ts";
import { renderTable } from "../output/table.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const QUARANTINE = defineVerb({
  verb: "quarantine",
  usage: "[--json] [ls | restore PATH... | rm PATH...]",
  description:
    "What an agent makes in a workspace that your machine could run by itself (hooks, editor tasks, agent\n" +
    "settings) is moved into quarantine when its session ends. Lists it, puts it back, or removes it for good.\n" +
    "PATH is where it was, or its id.",
  example: "cattlegrid quarantine restore ~/my-project/.vscode/tasks.json",
  operands: {
    min: 0,
    max: Infinity,
    names: "ls, restore or rm, and paths",
    suggest: [["ls", "restore", "rm"], []],
  },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags, operands: [word = "ls", ...names] }, context) {
    const { api, caller } = context;
    const wanted = parseChoice(word, "quarantine", ["ls", "restore", "rm"]);
    const { paths } = await api.get<QuarantineList>("/v1/quarantine");
    if (wanted === "ls") return list(paths, { context, asJson: flags.json === true });
    if (names.length === 0) {
      throw new CattlegridError("USAGE", `quarantine ${word} needs a path or an id.`);
    }
    return forEachName(names, caller, async (name) => {
      const { id, workspace, path } = find(paths, name, caller.directory);
      const shown = makeOneLine(join(workspace, path));
      if (wanted === "rm") await api.delete(`/v1/quarantine/${id}`);
      else await api.post(`/v1/quarantine/${id}/restore`, {});
      tell(caller, `cattlegrid: ${shown} is ${wanted === "rm" ? "removed" : "back"}.`);
    });
  },
});

function list(
  paths: readonly QuarantinedPath[],
  { context: { caller }, asJson }: { context: VerbContext; asJson: boolean },
): number {
  if (asJson) caller.output.write(`${JSON.stringify({ paths }, undefined, 2)}\n`);
  else if (paths.length === 0) tell(caller, "There is nothing in quarantine.");
  else caller.output.write(renderQuarantine(paths));
  return 0;
}

export function renderQuarantine(paths: readonly QuarantinedPath[]): string {
  const rows = paths.map(({ id, sandbox, workspace, path, reason }) =>
    [id, sandbox, join(workspace, path), reason].map(makeOneLine),
  );
  return renderTable(["ID", "SANDBOX", "PATH", "REASON"], rows);
}

/** By id, or by where it was; the newest of several. */
function find(paths: readonly QuarantinedPath[], name: string, directory: string): QuarantinedPath {
  const place = resolve(directory, name);
  const found = paths.findLast(
    ({ id, workspace, path }) => id === name || join(workspace, path) === place,
  );
  if (found !== undefined) return found;
  throw new CattlegridError("QUARANTINE_NOT_FOUND", `${name} is not in quarantine.`);
}
