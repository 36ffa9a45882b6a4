import { CattlegridError } from "../../../errors/error.ts";
import type { TemplateBuild, TemplateBuildEvent } from "../../../protocol/template-layer.ts";
import { readMirrors } from "../../../client/mirrors.ts";
import { usage } from "../../arguments.ts";
import { tell } from "../../caller.ts";
import { giveAllSettings, giveSettings } from "../../creation/provider-settings.ts";
import { readSettings } from "../../settings.ts";
import { InstallProgress } from "../../creation/start-progress.ts";
import type { VerbContext } from "../../verb.ts";
import { readParameters } from "../given-parameters.ts";
import { currentWorkspace, type TemplateVerb } from "../template-verb.ts";

interface Built {
  template: string;
  layers: readonly string[];
  /** Absent where nothing was left to build. */
  log?: string;
}

export const buildTemplate: TemplateVerb = async ({ flags, names }, context) => {
  const [name, more] = names;
  if (name === undefined || more !== undefined) {
    throw usage("template", "`template build` needs the name of one template.");
  }
  const { api, caller } = context;
  const { agent, provider } = flags;
  const settings = await readSettings(caller);
  const sources = { environment: caller.environment, settings };
  if (provider === undefined) await giveAllSettings(api, sources);
  else await giveSettings(api, provider, sources);
  const mirrors = await readMirrors(caller, settings);
  const built = await build(name, context, {
    workspace: await currentWorkspace(context),
    parameters: await readParameters(flags, { verb: "template", directory: caller.directory }),
    anew: flags.cache === false,
    ...(agent === undefined ? {} : { agent }),
    ...(provider === undefined ? {} : { provider }),
    ...(mirrors === undefined ? {} : { mirrors }),
  });
  if (flags.json) caller.output.write(`${JSON.stringify(built, undefined, 2)}\n`);
  else if (built.log === undefined) {
    tell(caller, `cattlegrid: nothing is left to build of ${built.template}.`);
  }
  return 0;
};

async function build(
  name: string,
  { api, caller }: VerbContext,
  request: TemplateBuild,
): Promise<Built> {
  const path = `/v1/templates/${encodeURIComponent(name)}/build`;
  const progress = new InstallProgress(caller);
  let log: string | undefined;
  try {
    for await (const event of api.events<TemplateBuildEvent>(path, { body: request })) {
      if (event.type === "template-built") {
        const { template, layers } = event;
        return { template, layers, ...(log === undefined ? {} : { log }) };
      }
      if (event.type === "build-end") ({ log } = event);
      progress.show(event);
    }
  } finally {
    progress.close();
  }
  throw new CattlegridError(
    "DAEMON_UNREACHABLE",
    "The daemon ended while the template was being built.",
  );
}
