import { release } from "node:os";
import { CattlegridError } from "../../errors/error.ts";
import { findDaemon } from "../../platform/daemon-file.ts";
import { readProgramVersion } from "../../platform/version.ts";
import type { DaemonVersion } from "../../protocol/daemon.ts";
import { API_VERSION } from "../../protocol/version.ts";
import { JSON_FLAG } from "../creation/creation-flags.ts";
import { readRuntimes } from "../creation/runtimes.ts";
import { defineVerb, type VerbContext } from "../verb.ts";

export const VERSION = defineVerb({
  verb: "version",
  usage: "[--json]",
  description:
    "Shows the versions of this program, of Node.js, kernel and OCI runtimes, and of the daemon, if one runs.",
  example: "cattlegrid version --json",
  operands: { min: 0, max: 0, names: "" },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags }, context) {
    const daemon = await askDaemon(context);
    const own = {
      version: readProgramVersion(),
      api: API_VERSION,
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      kernel: release(),
      runtimes: await readRuntimes(),
    };
    const { output } = context.caller;
    if (flags.json) output.write(`${JSON.stringify({ ...own, daemon }, undefined, 2)}\n`);
    else {
      const running = daemon === null ? "not running" : `${daemon.version} (pid ${daemon.pid})`;
      const found = Object.entries(own.runtimes).filter(([, version]) => version !== null);
      const runtimes = found.map(([name, version]) => `${name} ${version}`).join(", ") || "none";
      output.write(
        [
          `cattlegrid ${own.version}`,
          `Node.js    ${own.node}`,
          `kernel     ${own.kernel} (${own.platform})`,
          `runtimes   ${runtimes}`,
          `daemon     ${running}\n`,
        ].join("\n"),
      );
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
