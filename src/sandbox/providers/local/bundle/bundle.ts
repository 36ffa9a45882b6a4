import { MASKED_PATHS, READONLY_PATHS } from "../../../guest/hidden-paths.ts";
import { join } from "node:path";
import { WORKSPACE } from "../../../storage/directories.ts";
import { AGENT_ID, HOME } from "../../../guest/environment.ts";
import { MEMORY, ROOT_OVERLAY, sandboxMemory, type TreeMount } from "../keeper/message.ts";
import type { RootLayout } from "./root-layout.ts";
import type { OciRuntime } from "../runtimes/oci-runtime.ts";
import type { SeccompConfiguration } from "../system-calls/seccomp-program.ts";

/** The part of an OCI configuration that every process inside shares: what it may do and how it starts. */
export interface ProcessDefaults {
  user: { uid: number; gid: number };
  cwd: string;
  env: readonly string[];
  capabilities: Record<string, readonly string[]>;
  rlimits: readonly { type: string; soft: number; hard: number }[];
  noNewPrivileges: true;
  oomScoreAdj: number;
}

export interface ResourceBounds {
  pids: number;
  /** The hard limit of this process; a child cannot have more. */
  openFiles: number;
  oomScoreAdj: number;
  temporaryBytes: number;
}

export interface BundleSources {
  sandbox: number;
  /** Directory of the sandbox's own files, as the runtime sees it. */
  stateDirectory: string;
  hostname: string;
  layout: RootLayout;
  process: ProcessDefaults;
  binds: OciRuntime["binds"];
  /** What the keeper laid, parents first. */
  treeMounts: readonly TreeMount[];
  bounds: ResourceBounds;
  networkFd: number;
  /** Where ids of the sandbox lie in the keeper's numbering. */
  idMappings: readonly { containerID: number; hostID: number; size: number }[];
  /** Directories under /usr, /etc and the home, highest first, as the runtime sees them. */
  usrLayers: readonly string[];
  etcLayers: readonly string[];
  homeLayers: readonly string[];
  seccomp: SeccompConfiguration;
  /** On what the root file system stands. `hasRoot`: it may be changed by root inside, as while a template is built. */
  base?: { hasRoot: boolean };
}

const CAPABILITY_SETS = ["bounding", "effective", "inheritable", "permitted", "ambient"];
const RUN_BYTES = 16 * 2 ** 20;
const OPEN_FILES_SOFT = 16_384;

/** SECURITY: no capability in any set and no way to gain one: what holds for exec as well as for init. */
export function processDefaults(
  environment: Readonly<Record<string, string>>,
  cwd: string,
  bounds: ResourceBounds,
): ProcessDefaults {
  const limit = (type: string, soft: number, hard: number) => ({ type, soft, hard });
  return {
    user: { uid: AGENT_ID, gid: AGENT_ID },
    cwd,
    env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    capabilities: Object.fromEntries(CAPABILITY_SETS.map((set) => [set, []])),
    rlimits: [
      limit("RLIMIT_NOFILE", Math.min(OPEN_FILES_SOFT, bounds.openFiles), bounds.openFiles),
      // The kernel counts processes by user and user namespace, so this bounds each sandbox by itself.
      limit("RLIMIT_NPROC", bounds.pids, bounds.pids),
      limit("RLIMIT_CORE", 0, 0),
    ],
    noNewPrivileges: true,
    oomScoreAdj: bounds.oomScoreAdj,
  };
}

/** Ignoring SIGCHLD makes the kernel reap whatever is orphaned inside, with one process of 0.1 MiB. */
const INIT = ["/usr/bin/env", "--ignore-signal=CHLD", "sleep", "infinity"];
/** SECURITY: a constant text. Where env(1) cannot do that, the shell reaps. */
const INIT_ANYWHERE = [
  "/bin/sh",
  "-c",
  "env --ignore-signal=CHLD true 2>/dev/null && exec env --ignore-signal=CHLD sleep infinity; " +
    "while :; do sleep 86400 & wait; done",
];

/** As in a container of another engine: what installing packages takes, and nothing of the machine's. */
const ROOT_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"];

/** SECURITY: root of the sandbox's own id map, which stands for a subordinate id outside; for building templates alone. */
export function rootProcess(defaults: ProcessDefaults): ProcessDefaults {
  const names = ROOT_CAPABILITIES.map((name) => `CAP_${name}`);
  const sets = CAPABILITY_SETS.filter((set) => set !== "ambient" && set !== "inheritable");
  const capabilities = Object.fromEntries(sets.map((set) => [set, names]));
  return { ...defaults, user: { uid: 0, gid: 0 }, capabilities };
}

/** The `config.json` of a sandbox. Sources of mounts are the keeper's: no path of the host shows inside. */
export function ociConfiguration(sources: BundleSources): object {
  const { sandbox, idMappings, networkFd, base } = sources;
  const namespaces = ["user", "pid", "mount", "ipc", "uts", "cgroup"].map((type) => ({ type }));
  return {
    ociVersion: "1.0.2",
    process: {
      ...sources.process,
      terminal: false,
      cwd: "/",
      env: ["PATH=/usr/bin:/bin"],
      args: base === undefined ? INIT : INIT_ANYWHERE,
    },
    root:
      base === undefined
        ? { path: `${sandboxMemory(sandbox)}/root`, readonly: true }
        : { path: `${sandboxMemory(sandbox)}/${ROOT_OVERLAY}`, readonly: false },
    hostname: sources.hostname,
    mounts: [...systemMounts(sources), ...treeMounts(sources)],
    linux: {
      namespaces: [...namespaces, { type: "network", path: `/proc/1/fd/${networkFd}` }],
      uidMappings: idMappings,
      gidMappings: idMappings,
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
      seccomp: sources.seccomp.seccomp,
    },
    annotations: sources.seccomp.annotations,
  };
}

interface Mount {
  destination: string;
  type: string;
  source: string;
  options: readonly string[];
}

function systemMounts(sources: BundleSources): readonly Mount[] {
  const { stateDirectory, usrLayers, etcLayers, homeLayers, bounds, base } = sources;
  const memory = (destination: string, mode: string, bytes: number): Mount => ({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", `mode=${mode}`, `size=${bytes}`],
  });
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    memory("/dev", "755", 65_536),
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    },
    memory("/dev/shm", "1777", bounds.temporaryBytes),
    memory("/tmp", "1777", bounds.temporaryBytes),
    memory("/run", "1777", RUN_BYTES),
    ...(base === undefined ? [overlay("/usr", usrLayers, `${stateDirectory}/usr`)] : []),
    overlay("/etc", etcLayers, base?.hasRoot === true ? `${stateDirectory}/etc` : undefined),
    overlay(HOME, homeLayers, `${stateDirectory}/home`),
  ];
}

/**
 * Without a directory to write to, what is below cannot be changed by anybody. With `userxattr` the kernel itself
 * leaves `redirect_dir` and `metacopy` off: what was written is whole files, each where it belongs.
 */
function overlay(destination: string, lower: readonly string[], writable?: string): Mount {
  const options = ["nosuid", "nodev", "userxattr", `lowerdir=${lower.join(":")}`];
  if (writable === undefined) options.push("ro");
  else options.push(`upperdir=${writable}/upper`, `workdir=${writable}/work`);
  return { destination, type: "overlay", source: "overlay", options };
}

/**
 * SECURITY: a tree goes in with everything mounted in it, also what protects paths: there the kernel lets nobody write to
 * those mounts or move them.
 */
function treeMounts(sources: BundleSources): readonly Mount[] {
  const { sandbox, layout, stateDirectory, treeMounts: mounts, binds } = sources;
  const bind = binds === "trees" ? "rbind" : "bind";
  return layout.targets.flatMap(({ tree, path, isOverlaid }) => {
    if (isOverlaid) {
      return overlay(path, [`${sandboxMemory(sandbox)}/${tree}`], `${stateDirectory}/${WORKSPACE}`);
    }
    return mounts
      .filter((mount) => mount.tree === tree && (binds === "mounts" || mount.path === ""))
      .map((mount) => ({
        destination: join(path, mount.path),
        type: "bind",
        source: join(sandboxMemory(sandbox), tree, mount.path),
        options: [bind, mount.readonly ? "ro" : "rw", "nosuid", "nodev"],
      }));
  });
}

/** Names of the directories that the keeper lays out of the way of meaningful paths. */
export const KEEPER_DIRECTORIES = {
  sandboxes: `${MEMORY}/s`,
  layers: `${MEMORY}/l`,
  roots: `${MEMORY}/o`,
  bases: `${MEMORY}/b`,
  runtime: `${MEMORY}/r`,
};
