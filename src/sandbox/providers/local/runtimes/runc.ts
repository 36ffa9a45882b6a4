import { randomBytes } from "node:crypto";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { OciRuntime } from "./oci-runtime.ts";

/** The leader's own memory is paid for every program that runs. */
const NODE_FLAGS = [
  "--disable-warning=ExperimentalWarning",
  "--max-old-space-size=32",
  "--max-semi-space-size=1",
  "--v8-pool-size=0",
];

/**
 * runc gives a program its own streams, and sends its terminal to a socket, only in the background, and then nobody is
 * told how the program ends. So each command is led by a process of ours that stays.
 */
export const RUNC: OciRuntime = {
  name: "runc",
  isolation: "namespaces",
  // It wants a user 0 inside, who must not be the agent's.
  needsRange: true,
  needsTrial: true,
  binds: "trees",
  // An ordinary user could not remove what the user 0 inside, one of the user's subordinate ids, has made.
  overlays: "keeper",
  terminals: "runtime",
  run({ program, stateRoot, bundle, pidFile, log, containerId }) {
    const ownPidFile = pidFileBeside(stateRoot);
    return [
      ...lead("run", pidFile, ownPidFile),
      program,
      ...options(stateRoot, log),
      "run",
      // One keyring per sandbox would meet the quota of 200 per user.
      "--no-new-keyring",
      "--detach",
      `--bundle=${bundle}`,
      `--pid-file=${ownPidFile}`,
      containerId,
    ];
  },
  exec({ program, stateRoot, containerId, processFd, reportFd, extraCount, consolePath }) {
    const report = `/proc/self/fd/${reportFd}`;
    const ownPidFile = pidFileBeside(stateRoot);
    return [
      ...lead("exec", report, ownPidFile),
      program,
      ...options(stateRoot, report),
      "exec",
      "--detach",
      `--process=/proc/self/fd/${processFd}`,
      `--pid-file=${ownPidFile}`,
      `--preserve-fds=${extraCount}`,
      ...(consolePath === undefined ? [] : [`--console-socket=${consolePath}`]),
      containerId,
    ];
  },
};

/** `rootless`: cgroups that cannot be made are no failure. Who starts the runtime puts it into one first. */
function options(stateRoot: string, log: string): readonly string[] {
  return [`--root=${stateRoot}`, `--log=${log}`, "--log-format=json", "--rootless=true"];
}

/** runc writes it under another name first, which no descriptor allows. */
function pidFileBeside(stateRoot: string): string {
  return join(dirname(stateRoot), `pid-${randomBytes(6).toString("hex")}`);
}

function lead(command: "run" | "exec", report: string, pidFile: string): readonly string[] {
  const leader = new URL(`./runtime-leader${extname(import.meta.url)}`, import.meta.url);
  return [process.execPath, ...NODE_FLAGS, fileURLToPath(leader), command, report, pidFile];
}
