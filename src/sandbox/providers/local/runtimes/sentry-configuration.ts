import type { Configuration } from "../bundle/staged-bundle.ts";

/** The sentry has devices, a /proc and a filter for system calls of its own. */
const OWN = new Set(["/dev", "/dev/pts"]);
/** The others are entered before: those of network and users by who starts the runtime. */
const NAMESPACES = ["pid", "mount", "ipc", "uts"];

/** The same sandbox for gVisor. */
export function sentryConfiguration({ mounts, linux, ...rest }: Configuration): Configuration {
  const { maskedPaths, readonlyPaths } = linux;
  return {
    ...rest,
    mounts: mounts.filter(({ destination }) => !OWN.has(destination)),
    annotations: {},
    linux: { namespaces: NAMESPACES.map((type) => ({ type })), maskedPaths, readonlyPaths },
  };
}
