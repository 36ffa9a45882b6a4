import { CattlegridError } from "../../errors/error.ts";
import { findDaemon } from "../../platform/daemon-file.ts";
import { readProgramVersion } from "../../platform/version.ts";
import type { DaemonVersion } from "../../protocol/daemon.ts";
import { API_VERSION } from "../../protocol/version.ts";
import { JSON_FLAG } from "../creation-flags.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const VERSION = defineVerb({
  verb: "version",
  usage: "[--json]",
  description: "Shows the versions of this program, of Node.js and of the daemon, if one runs.",
  example: "cattlegrid version --json",
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags }, context) {
    const daemon = await askDaemon(context);
    const own = { version: readProgramVersion(), api: API_VERSION, node: process.versions.node };
    const { output } = context.caller;
    if (flags.json) output.write(`${JSON.stringify({ ...own, daemon }, undefined, 2)}\n`);
    else {
      const running = daemon === null ? "not running" : `${daemon.version} (pid ${daemon.pid})`;
      output.write(`cattlegrid ${own.version}\nNode.js    ${own.node}\ndaemon     ${running}\n`);
    }
    return 0;
  },
});

/** Null when none runs: looking at a version starts nothing. */
async function askDaemon({ api, caller }: VerbContext): Promise<DaemonVersion | null> {
  if ((await findDaemon(caller.paths, caller.uid)) === undefined) return null;
  try {
    return await api.get<DaemonVersion>("/v1/version");
  } catch (error) {
    if (CattlegridError.is(error, "DAEMON_VERSION_MISMATCH")) return null;
    throw error;
  }
}
