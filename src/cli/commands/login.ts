import { readMirrors } from "../../client/mirrors.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { LoginImport, LoginProfile } from "../../protocol/login.ts";
import { chooseAgent } from "../agent-choice.ts";
import { parseDuration } from "../creation/amount.ts";
import { type Flags, type FlagValues, usage } from "../arguments.ts";
import { tell } from "../caller.ts";
import {
  CREATION_FLAGS,
  DIRECTORY_FLAGS,
  INPUT_FLAG,
  INSTALL_TIMEOUT_FLAG,
  JSON_FLAG,
  LOGIN_TIMEOUT_FLAG,
} from "../creation/creation-flags.ts";
import { readBundleFile, writeBundleFile } from "../login/bundle-file.ts";
import { signInOnce } from "../login/device-login.ts";
import { profilePath, showProfiles } from "../login/profile-list.ts";
import { readSettings, type Settings } from "../settings.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

const FLAGS = {
  profile: CREATION_FLAGS.profile,
  status: { kind: "switch", help: "show who is signed in, and sign nobody in" },
  import: {
    kind: "text",
    value: "FILE",
    suggest: ["file"],
    help: "take the sign-in from a bundle instead of signing in; - reads standard input",
  },
  export: {
    kind: "text",
    value: "FILE",
    suggest: ["file"],
    help: "write the sign-in as a bundle; - writes to standard output, but to no terminal",
  },
  region: CREATION_FLAGS.region,
  ...DIRECTORY_FLAGS,
  ...LOGIN_TIMEOUT_FLAG,
  ...INSTALL_TIMEOUT_FLAG,
  ...INPUT_FLAG,
  ...JSON_FLAG,
} as const satisfies Flags;

type LoginFlags = FlagValues<typeof FLAGS>;

export const LOGIN = defineVerb({
  verb: "login",
  usage: "[FLAGS] [AGENT]",
  description:
    "Signs in to an agent once, in a small sandbox of its own that is gone afterwards. The sign-in is kept in the vault, and\n" +
    "every new sandbox of the agent has a copy before its first session. Several accounts are several profiles.\n" +
    "A bundle is `tar -c . | zstd` of the agent's sign-in directory, such as one that was made on another machine.",
  example: "cattlegrid login --status",
  operands: { min: 0, max: 1, names: "an agent", suggest: ["agent"] },
  trailing: "none",
  flags: FLAGS,
  async run({ flags, operands: [operand] }, context) {
    const asked = [flags.status, flags.import, flags.export].filter(
      (each) => each !== undefined && each !== false,
    );
    if (asked.length > 1) {
      throw usage("login", "--status, --import and --export exclude each other.");
    }
    if (flags.status) {
      await showProfiles(context, { agent: operand, asJson: flags.json === true });
      return 0;
    }
    const settings = await readSettings(context.caller);
    const agent = operand ?? (await choose(flags, context));
    const profile = flags.profile ?? settings.flags["profile"] ?? "default";
    const login = { flags, settings, agent, profile };
    if (flags.import !== undefined) return importBundle(login, flags.import, context);
    if (flags.export !== undefined) return exportBundle(login, flags.export, context);
    return signInOnce(login, context);
  },
});

async function choose({ input }: LoginFlags, { api, caller }: VerbContext): Promise<string> {
  const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
  return chooseAgent(agents, { caller, verb: "login", asks: input !== false });
}

interface Login {
  flags: LoginFlags;
  settings: Settings;
  agent: string;
  profile: string;
}

async function importBundle(
  { flags, settings, agent, profile }: Login,
  path: string,
  { api, caller }: VerbContext,
): Promise<number> {
  const bundle = await readBundleFile(path, caller);
  const mirrors = await readMirrors(caller, settings);
  const regions = flags.region.length > 0 ? flags.region : settings.regions;
  const timeout = flags["install-timeout"] ?? settings.flags["install-timeout"];
  const request: LoginImport = {
    bundle: bundle.toString("base64"),
    ...(mirrors === undefined ? {} : { mirrors }),
    ...(regions.length === 0 ? {} : { regions: [...regions] }),
    ...(timeout === undefined
      ? {}
      : { installTimeoutMs: parseDuration(timeout, "--install-timeout") }),
  };
  tell(caller, "cattlegrid: asking the agent, in a sandbox of its own, whose sign-in this is.");
  const kept = await api.put<LoginProfile>(profilePath(agent, profile), request);
  if (flags.json) caller.output.write(`${JSON.stringify(kept, undefined, 2)}\n`);
  const whose = kept.account === null ? "" : ` (${kept.account})`;
  const text = `Kept as the login profile ${profile}${whose}: every new sandbox of ${agent} has this sign-in.`;
  tell(caller, `cattlegrid: ${text}`);
  return 0;
}

async function exportBundle(
  { agent, profile }: Login,
  path: string,
  { api, caller }: VerbContext,
): Promise<number> {
  await writeBundleFile(path, api.bytes(profilePath(agent, profile, "/bundle")), caller);
  const where = path === "-" ? "standard output" : path;
  const warning = "whoever has it is signed in, and whichever copy is renewed first ends the other";
  tell(caller, `cattlegrid: the sign-in is written to ${where}: ${warning}.`);
  return 0;
}
