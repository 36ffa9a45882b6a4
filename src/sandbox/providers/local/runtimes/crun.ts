import type { OciRuntime } from "./oci-runtime.ts";

/** The runtime leaves cgroups alone: who starts it puts it into one first. */
const OPTIONS = ["--cgroup-manager=disabled"];

export const CRUN: OciRuntime = {
  name: "crun",
  isolation: "namespaces",
  needsRange: false,
  needsTrial: false,
  // crun 1.8 copies only the topmost mount of a tree into a user namespace, which would silently drop what protects
  // paths of the workspace.
  binds: "mounts",
  overlays: "runtime",
  terminals: "runtime",
  run({ program, stateRoot, bundle, pidFile, log, containerId }) {
    return [
      program,
      `--root=${stateRoot}`,
      `--log=${log}`,
      "--log-format=json",
      ...OPTIONS,
      "run",
      // One keyring per sandbox would meet the quota of 200 per user.
      "--no-new-keyring",
      "--detach",
      `--bundle=${bundle}`,
      `--pid-file=${pidFile}`,
      containerId,
    ];
  },
  exec({ program, stateRoot, containerId, processFd, reportFd, extraCount, consolePath }) {
    const report = `/proc/self/fd/${reportFd}`;
    return [
      program,
      ...OPTIONS,
      `--root=${stateRoot}`,
      `--log=${report}`,
      "--log-format=json",
      "exec",
      `--process=/proc/self/fd/${processFd}`,
      `--pid-file=${report}`,
      `--preserve-fds=${extraCount}`,
      ...(consolePath === undefined ? [] : [`--console-socket=${consolePath}`]),
      containerId,
    ];
  },
};
