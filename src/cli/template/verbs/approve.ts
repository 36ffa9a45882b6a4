import { usage } from "../../arguments.ts";
import { tell } from "../../caller.ts";
import { resolveWorkspace } from "../../creation/creation.ts";
import { approveProject } from "../approval.ts";
import type { TemplateVerb } from "../template-verb.ts";

export const approveTemplate: TemplateVerb = async ({ flags, names }, context) => {
  const [operand, more] = names;
  if (more !== undefined) throw usage("template", "`template approve` takes one workspace.");
  const { caller } = context;
  const workspace = await resolveWorkspace(operand, caller.directory);
  const approved = await approveProject({ workspace, asks: flags.input !== false }, context);
  if (flags.json) caller.output.write(`${JSON.stringify(approved, undefined, 2)}\n`);
  tell(caller, "cattlegrid: approved. Use it with `cattlegrid run --template project`.");
  return 0;
};
