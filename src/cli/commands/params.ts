import type { SandboxParameters } from "../../protocol/template-list.ts";
import { sandboxPath } from "../api.ts";
import { tell } from "../caller.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { renderTable } from "../output/table.ts";
import { readAssignments } from "../template/given-parameters.ts";
import { defineVerb } from "../verb.ts";

export const PARAMS = defineVerb({
  verb: "params",
  usage: "NAME [--set NAME=VALUE]... [--json]",
  description:
    "Shows the answers that a sandbox was made with from its template, and changes those that the template lets change,\n" +
    "from the next start on.",
  example: "cattlegrid params my-sandbox --set team=red",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    set: {
      kind: "list",
      value: "NAME=VALUE",
      suggest: ["parameter"],
      help: "another value, which counts from the next start on",
    },
    ...JSON_FLAG,
  },
  async run({ flags, operands: [name = ""] }, { api, caller }) {
    const path = sandboxPath(name, "/parameters");
    const parameters = readAssignments("params", flags.set);
    const isSetting = flags.set.length > 0;
    const found = isSetting
      ? await api.put<SandboxParameters>(path, { parameters })
      : await api.get<SandboxParameters>(path);
    if (flags.json) caller.output.write(`${JSON.stringify(found, undefined, 2)}\n`);
    else caller.output.write(render(found));
    if (isSetting && found.parameters.some(({ next }) => next !== undefined)) {
      tell(caller, `cattlegrid: counts when ${found.sandbox} starts the next time.`);
    }
    return 0;
  },
});

function render({ parameters }: SandboxParameters): string {
  const rows = parameters.map(({ name, value, next, mutable, title }) => [
    name,
    value === undefined ? "-" : String(value),
    next === undefined ? "-" : String(next),
    mutable ? "yes" : "no",
    title,
  ]);
  return renderTable(["PARAMETER", "VALUE", "NEXT", "MUTABLE", "TITLE"], rows);
}
