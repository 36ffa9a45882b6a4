import { CattlegridError } from "../../../errors/error.ts";
import type { WarmPool } from "../../../protocol/warm-pool.ts";
import { readMirrors } from "../../../client/mirrors.ts";
import { parseCount } from "../../creation/amount.ts";
import { usage } from "../../arguments.ts";
import { tell } from "../../caller.ts";
import { readSettings } from "../../settings.ts";
import { renderTable } from "../../output/table.ts";
import type { VerbContext } from "../../verb.ts";
import { readParameters } from "../given-parameters.ts";
import type { TemplateVerb, TemplateWish } from "../template-verb.ts";

export const warmTemplate: TemplateVerb = async ({ flags, names }, context) => {
  const [name, more] = names;
  if (more !== undefined) throw usage("template", "`template warm` takes one template.");
  if (name === undefined) return showPools(flags, context);
  if (flags.size === undefined) {
    throw usage("template", "`template warm` needs --size, how many to keep ready; 0 ends it.");
  }
  const { api, caller } = context;
  const size = parseCount(flags.size, "--size", 0);
  const parameters = await readParameters(flags, { verb: "template", directory: caller.directory });
  const mirrors = await readMirrors(caller, await readSettings(caller));
  if (size > 0) tell(caller, `cattlegrid: preparing ${size} of ${name}.`);
  const pool = await api.put<WarmPool>(`/v1/templates/${encodeURIComponent(name)}/warm`, {
    size,
    parameters,
    ...(mirrors === undefined ? {} : { mirrors }),
  });
  if (flags.json) caller.output.write(`${JSON.stringify(pool, undefined, 2)}\n`);
  if (pool.problem !== undefined) {
    const message = `${pool.ready} of ${size} could be prepared: ${pool.problem}`;
    throw new CattlegridError("SANDBOX_START_FAILED", message);
  }
  tell(
    caller,
    size === 0 ? "cattlegrid: none are kept ready." : `cattlegrid: ${pool.ready} ready.`,
  );
  return 0;
};

async function showPools(
  flags: TemplateWish["flags"],
  { api, caller }: VerbContext,
): Promise<number> {
  const found = await api.get<{ pools: readonly WarmPool[] }>("/v1/warm-pools");
  if (flags.json) {
    caller.output.write(`${JSON.stringify(found, undefined, 2)}\n`);
    return 0;
  }
  const rows = found.pools.map(({ template, provider, size, ready, problem }) => [
    template,
    provider === "" ? "-" : provider,
    String(size),
    String(ready),
    problem ?? "",
  ]);
  caller.output.write(renderTable(["TEMPLATE", "PROVIDER", "SIZE", "READY", "PROBLEM"], rows));
  return 0;
}
