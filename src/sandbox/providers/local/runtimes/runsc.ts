import type { OciRuntime } from "./oci-runtime.ts";

/**
 * gVisor in the namespaces that the keeper made. `host` network: the sentry makes the sandbox's connections with the
 * kernel's sockets, in the network namespace that it is started in, so that they land in the gateway like all others.
 * cgroups are entered by who starts it.
 */
const OPTIONS = [
  "--network=host",
  "--ignore-cgroups",
  "--overlay2=none",
  // SECURITY: files are reached through the file server alone. The sentry by itself would be outside the mount
  // namespace in which protected paths are mount points, and could rename their parents.
  "--directfs=false",
  "--log-format=json",
];

export const RUNSC: OciRuntime = {
  name: "runsc",
  isolation: "gvisor",
  needsRange: true,
  needsTrial: true,
  binds: "trees",
  overlays: "keeper",
  terminals: "ours",
  run({ program, stateRoot, bundle, pidFile, log, containerId }) {
    return [
      program,
      `--root=${stateRoot}`,
      `--log=${log}`,
      ...OPTIONS,
      "run",
      "--detach",
      `--bundle=${bundle}`,
      `--pid-file=${pidFile}`,
      containerId,
    ];
  },
  exec({ program, stateRoot, containerId, processFd, reportFd, extraCount }) {
    const report = `/proc/self/fd/${reportFd}`;
    const extras = Array.from({ length: extraCount }, (_, index) => 3 + index);
    return [
      program,
      `--root=${stateRoot}`,
      `--log=${report}`,
      ...OPTIONS,
      "exec",
      `--process=/proc/self/fd/${processFd}`,
      `--internal-pid-file=${report}`,
      ...extras.map((fd) => `--pass-fd=${fd}:${fd}`),
      containerId,
    ];
  },
};
