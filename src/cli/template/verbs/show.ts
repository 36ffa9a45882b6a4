import type { ResolvedTemplate } from "../../../protocol/template.ts";
import type { TemplateDetail } from "../../../protocol/template-list.ts";
import { usage } from "../../arguments.ts";
import { makePrintable } from "../../output/error-text.ts";
import { templatePath } from "../approval.ts";
import { readParameters } from "../given-parameters.ts";
import { renderTemplate } from "../template-text.ts";
import { currentWorkspace, type TemplateVerb, type TemplateWish } from "../template-verb.ts";
import type { VerbContext } from "../../verb.ts";

export const showTemplate: TemplateVerb = async ({ flags, names }, context) => {
  const [name, more] = names;
  if (name === undefined || more !== undefined) {
    throw usage("template", "`template show` needs the name of one template.");
  }
  if (flags.resolved) return showResolved(name, flags, context);
  const { api, caller } = context;
  const detail = await api.get<TemplateDetail>(templatePath(name, await currentWorkspace(context)));
  const text = flags.json ? `${JSON.stringify(detail, undefined, 2)}\n` : renderTemplate(detail);
  caller.output.write(text);
  return 0;
};

async function showResolved(
  name: string,
  flags: TemplateWish["flags"],
  context: VerbContext,
): Promise<number> {
  const { api, caller } = context;
  const workspace = await currentWorkspace(context);
  const { directory } = caller;
  const parameters = await readParameters(flags, { verb: "template", directory });
  const wish = {
    workspace,
    parameters,
    ...(flags.agent === undefined ? {} : { agent: flags.agent }),
  };
  const path = `/v1/templates/${encodeURIComponent(name)}/resolve`;
  const resolved = await api.post<ResolvedTemplate>(path, wish);
  if (flags.json) {
    caller.output.write(`${JSON.stringify(resolved, undefined, 2)}\n`);
    return 0;
  }
  const { stringify } = await import("yaml");
  // A file's mode is written as it is in a template.
  const files = resolved.files.map((file) => ({ ...file, mode: `0${file.mode.toString(8)}` }));
  caller.output.write(makePrintable(stringify({ ...resolved, files })));
  return 0;
}
