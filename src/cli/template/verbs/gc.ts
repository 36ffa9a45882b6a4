import type { TemplateLayersList } from "../../../protocol/template-layer.ts";
import { parseLongDuration } from "../../creation/amount.ts";
import { usage } from "../../arguments.ts";
import { tell } from "../../caller.ts";
import { describeTotal, renderLayers } from "../layer-text.ts";
import type { TemplateVerb } from "../template-verb.ts";

const OLDER = "7d";

/** Without a question: whatever goes is made again when a sandbox wants it. */
export const collectLayers: TemplateVerb = async ({ flags, names }, { api, caller }) => {
  if (names.length > 0) throw usage("template", "`template gc` takes no names.");
  const olderThanMs = parseLongDuration(flags["older-than"] ?? OLDER, "--older-than");
  const dryRun = flags["dry-run"] === true;
  const path = "/v1/template-layers/collect";
  const found = await api.post<TemplateLayersList>(path, { olderThanMs, dryRun });
  const { length } = found.layers;
  if (flags.json) caller.output.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else if (length > 0) caller.output.write(renderLayers(found.layers, Date.now()));
  if (length === 0) tell(caller, "cattlegrid: there is nothing to remove.");
  else if (!dryRun) tell(caller, `cattlegrid: removed ${describeTotal(found.layers)}.`);
  return 0;
};
