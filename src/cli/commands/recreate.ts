import { CattlegridError } from "../../errors/error.ts";
import type { Sandbox, SandboxRecreate, SandboxRecreated } from "../../protocol/sandbox.ts";
import { parseDuration } from "../creation/amount.ts";
import { sandboxPath } from "../api.ts";
import { tell } from "../caller.ts";
import { INSTALL_TIMEOUT_FLAG, JSON_FLAG } from "../creation/creation-flags.ts";
import { readMirrors } from "../../client/mirrors.ts";
import { giveSettings } from "../creation/provider-settings.ts";
import { readSettings, type Settings } from "../settings.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const RECREATE = defineVerb({
  verb: "recreate",
  usage: "[FLAGS] NAME",
  description:
    "Makes a sandbox anew under its name: with a fresh home and the newest installed agent, and with the workspace, policy,\n" +
    "variables and limits it was made with. What else is in its home is lost; your workspace is not touched. When something\n" +
    "fails, the sandbox is as it was.",
  example: "cattlegrid recreate my-sandbox --keep-login",
  operands: { min: 1, max: 1, names: "the name of a sandbox", suggest: ["sandbox"] },
  trailing: "none",
  flags: {
    "keep-login": { kind: "switch", help: "take the agent's sign-in along" },
    force: { kind: "switch", short: "f", help: "end open sessions" },
    ...INSTALL_TIMEOUT_FLAG,
    ...JSON_FLAG,
  },
  async run({ flags, operands: [name = ""] }, context) {
    const { api, caller } = context;
    const sandbox = await api.get<Sandbox>(sandboxPath(name));
    if (flags.force !== true) refuseBusy(sandbox);
    const settings = await readSettings(caller);
    const request = await describeRequest(flags, settings, context);
    await giveSettings(api, sandbox.provider, { environment: caller.environment, settings });
    const path = sandboxPath(sandbox.id, "/recreate");
    const made = await api.post<SandboxRecreated>(path, request);
    if (flags.json) caller.output.write(`${JSON.stringify(made, undefined, 2)}\n`);
    tell(caller, `cattlegrid: ${made.sandbox.name} is made anew${describeLogin(flags, made)}.`);
    return 0;
  },
});

function describeLogin(
  flags: { "keep-login": boolean | undefined },
  made: SandboxRecreated,
): string {
  if (flags["keep-login"] !== true) return "";
  return made.keptLogin ? ", with its sign-in" : "; nobody was signed in";
}

async function describeRequest(
  flags: { "keep-login": boolean | undefined; "install-timeout": string | undefined },
  settings: Settings,
  { caller }: VerbContext,
): Promise<SandboxRecreate> {
  const mirrors = await readMirrors(caller, settings);
  const timeout = flags["install-timeout"];
  return {
    keepLogin: flags["keep-login"] === true,
    ...(mirrors === undefined ? {} : { mirrors }),
    ...(timeout === undefined
      ? {}
      : { installTimeoutMs: parseDuration(timeout, "--install-timeout") }),
  };
}

function refuseBusy({ name, sessions }: Sandbox): void {
  const open = sessions.some(({ status }) => status !== "ended" && status !== "lost");
  if (!open) return;
  throw new CattlegridError("SANDBOX_BUSY", `${name} has an open session.`, {
    hint: `End it, or make the sandbox anew all the same with \`cattlegrid recreate --force ${name}\`.`,
  });
}
