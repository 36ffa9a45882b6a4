import type { TemplateLayersList } from "../../../protocol/template-layer.ts";
import type { TemplateList } from "../../../protocol/template-list.ts";
import { tell } from "../../caller.ts";
import { renderTemplates } from "../template-text.ts";
import { currentWorkspace, type TemplateVerb } from "../template-verb.ts";

export const listTemplates: TemplateVerb = async ({ flags }, context) => {
  const { api, caller } = context;
  const workspace = encodeURIComponent(await currentWorkspace(context));
  const found = await api.get<TemplateList>(`/v1/templates?workspace=${workspace}`);
  const { templates } = found;
  const { layers } = await api.get<TemplateLayersList>("/v1/template-layers");
  if (flags.json) caller.output.write(`${JSON.stringify({ ...found, layers }, undefined, 2)}\n`);
  else {
    const width = caller.output.isTTY ? caller.output.columns : undefined;
    caller.output.write(renderTemplates(templates, layers, width));
  }
  for (const { problem } of flags.json ? [] : templates) {
    if (problem !== undefined)
      tell(caller, `cattlegrid: ${problem.message}\n  hint: ${problem.hint}`);
  }
  return 0;
};
