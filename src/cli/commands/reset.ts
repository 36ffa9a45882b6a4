import { existsSync } from "node:fs";
import { CattlegridError } from "../../errors/error.ts";
import { checkStateDirectory } from "../../platform/state-directory.ts";
import { removeState } from "../../platform/state-removal.ts";
import type { TotalRemoval } from "../../protocol/daemon.ts";
import { canAsk, type Caller, tell } from "../caller.ts";
import { INPUT_FLAG } from "../creation/creation-flags.ts";
import { stopDaemon, watchDaemon } from "../daemon/daemon-stop.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const RESET = defineVerb({
  verb: "reset",
  usage: "[--yes]",
  description:
    "Removes every sandbox, installed agent, sign-in and record, stops the daemon, and leaves no byte of\n" +
    "Cattlegrid's state. Your workspaces are not touched.",
  example: "cattlegrid reset --yes",
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
  flags: { yes: { kind: "switch", short: "y", help: "do not ask first" }, ...INPUT_FLAG },
  async run({ flags }, context) {
    const { caller } = context;
    const { paths } = caller;
    if (flags.yes !== true) await confirm(caller, flags.input !== false);
    if (existsSync(paths.stateDirectory)) {
      // Before a daemon is started on it.
      checkStateDirectory(paths.stateDirectory);
      await emptyState(context);
    }
    await removeState(paths);
    tell(caller, `cattlegrid: nothing is left in ${paths.stateDirectory}.`);
    return 0;
  },
});

async function confirm(caller: Caller, asks: boolean): Promise<void> {
  const { stateDirectory } = caller.paths;
  if (!asks || !canAsk(caller)) {
    const message = `\`reset\` removes everything in ${stateDirectory} and wants --yes.`;
    throw new CattlegridError("USAGE", message, { hint: "Run `cattlegrid reset --yes`." });
  }
  const prompts = await import("@clack/prompts");
  const { input, errors: output } = caller;
  const message = `Remove every sandbox, sign-in and record in ${stateDirectory}?`;
  const answer = await prompts.confirm({ message, initialValue: false, input, output });
  if (answer === true) return;
  throw new CattlegridError("INTERRUPTED", "Nothing was removed.");
}

/** Only the daemon can unmount and end what runs. State that it cannot open any more is removed as files. */
async function emptyState({ api, caller }: VerbContext): Promise<void> {
  let gone: ReturnType<typeof watchDaemon>;
  try {
    await api.socket();
    gone = watchDaemon(caller);
    const { unreached = [] } = await api.post<Partial<TotalRemoval>>("/v1/reset", {});
    for (const { provider, reason } of unreached) {
      tell(caller, `cattlegrid: ${reason} What sandboxes left at ${provider} may still be there.`);
    }
  } catch (error) {
    if (!CattlegridError.is(error) || !CANNOT_OPEN.has(error.code)) throw error;
    tell(caller, `cattlegrid: ${error.message} Its files are removed all the same.`);
    await stopDaemon(caller, api.signal);
    return;
  }
  await gone(api.signal);
}

const CANNOT_OPEN: ReadonlySet<string> = new Set([
  "STATE_CORRUPT",
  "STATE_TOO_NEW",
  "DAEMON_VERSION_MISMATCH",
  "DISK_FULL",
  "FILE_SYSTEM_UNSUITABLE",
  "DAEMON_UNREACHABLE",
  // Without the programs that make sandboxes there is none that runs.
  "DEPENDENCY_MISSING",
  "RUNTIME_MISSING",
]);
