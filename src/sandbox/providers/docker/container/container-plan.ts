import { MASKED_PATHS, READONLY_PATHS } from "../../../guest/hidden-paths.ts";
import { HOME } from "../../../guest/environment.ts";
import type { SandboxSpecification } from "../../../provider.ts";
import type { GuestAccount } from "./guest-account.ts";
import type { GuestFile } from "./guest-files.ts";
import type { WorkspaceMount } from "./workspace-mounts.ts";

export const PIDS_DEFAULT = 4096;
const RUN_BYTES = 16 * 2 ** 20;
/** Above what a desktop session gives its programs, so that an agent goes before they do. */
const OOM_SCORE = 500;

/**
 * SECURITY: what the engine hides by default, and all of /sys: the network namespace is not the agent's to look at. Given
 * here as the engine's own list is lost by giving one.
 */
const MASKED = [...MASKED_PATHS, "/sys"];

/**
 * SECURITY: IPv6 has a loopback, on which the gateway answers as on the other. No port is for the agent to take while it is
 * the gateway's: the engine would let everybody have every one.
 */
export const KERNEL_SETTINGS = {
  "net.ipv6.conf.all.disable_ipv6": "0",
  "net.ipv6.conf.lo.disable_ipv6": "0",
  "net.ipv4.ip_unprivileged_port_start": "1024",
};

/** An overlay that the engine mounts; paths are the engine's, and free of what means something in an option. */
export interface OverlayPlan {
  target: string;
  /** Highest first. */
  lower: readonly string[];
  upper: string;
  work: string;
}

export interface ContainerSources {
  specification: SandboxSpecification;
  runtime: string | undefined;
  image: string;
  /** Whether the image is a template's base. */
  hasBase: boolean;
  account: GuestAccount;
  labels: Readonly<Record<string, string>>;
  /** The container whose network it joins; undefined for one of its own. */
  networkOf: string | undefined;
  environment: Readonly<Record<string, string>>;
  files: readonly GuestFile[];
  overlays: readonly OverlayPlan[];
  workspace: readonly WorkspaceMount[];
  /** Real directories of the toolchains and where each lies inside. */
  toolchains: readonly GuestFile[];
  /** The filter itself or its file, as this engine takes it. */
  seccomp: string;
  temporaryBytes: number;
  isPodman: boolean;
  /** The names of volumes that are there already, by where they are mounted. */
  volumes: ReadonlyMap<string, string>;
}

const WAIT = { Entrypoint: ["sleep"], Cmd: ["infinity"] };
/** SECURITY: a constant text. Not every sleep(1) knows infinity. */
const WAIT_ANYWHERE = { Entrypoint: ["/bin/sh", "-c", "while sleep 86400; do :; done"], Cmd: [] };

/**
 * What installing packages takes, and nothing of the machine's. SECURITY: Docker has no ids of its own, so this is the
 * host's root, without whatever else root may do, with nobody's files; for building templates alone.
 */
const ROOT_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"];
export const ROOT_USER = "0:0";

/** What the engine is asked to make: a container in which nothing runs but the process that waits. */
export function planContainer(sources: ContainerSources): object {
  const { specification, account, environment } = sources;
  const { limits, hasRoot: isBuilding = false } = specification;
  return {
    Image: sources.image,
    ...(sources.networkOf === undefined ? { Hostname: hostName(specification) } : {}),
    // SECURITY: a later program can be given no more than this process has; as another user it is given none of it.
    User: isBuilding ? ROOT_USER : `${account.uid}:${account.gid}`,
    WorkingDir: "/",
    // What becomes a layer keeps no variables; programs are given them one by one.
    Env: isBuilding ? [] : Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ...(sources.hasBase ? WAIT_ANYWHERE : WAIT),
    Labels: sources.labels,
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      ...networkOf(sources.networkOf),
      ...(sources.runtime === undefined ? {} : { Runtime: sources.runtime }),
      CapDrop: ["ALL"],
      ...(isBuilding ? { CapAdd: ROOT_CAPABILITIES } : {}),
      SecurityOpt: ["no-new-privileges", `seccomp=${sources.seccomp}`, ...maskOf(sources)],
      ReadonlyRootfs: !isBuilding,
      Init: true,
      IpcMode: "private",
      CgroupnsMode: "private",
      MaskedPaths: MASKED,
      ReadonlyPaths: READONLY_PATHS,
      Tmpfs: temporaryTrees(sources),
      ShmSize: sources.temporaryBytes,
      // How many files may be open is the engine's to say, which may not be able to give more than it has; Podman would
      // set that too, once it is given anything.
      ...(sources.isPodman ? {} : { Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }] }),
      OomScoreAdj: OOM_SCORE,
      PidsLimit: limits.pids ?? PIDS_DEFAULT,
      ...(limits.memoryBytes === undefined
        ? {}
        : { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes }),
      ...(limits.cpus === undefined ? {} : { NanoCpus: Math.round(limits.cpus * 1e9) }),
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "none" },
      Mounts: mountsOf(sources),
    },
  };
}

/**
 * A container that has a sandbox's network before the sandbox is there: a runtime that looks at its network once, when it
 * starts, has to find it whole.
 */
export function planHolder({
  specification,
  image,
  labels,
}: Pick<ContainerSources, "specification" | "image" | "labels">): object {
  return {
    Image: image,
    Hostname: hostName(specification),
    User: "65534:65534",
    WorkingDir: "/",
    Env: [],
    Entrypoint: ["sleep"],
    Cmd: ["infinity"],
    Labels: labels,
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      ...networkOf(undefined),
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      PidsLimit: 4,
      RestartPolicy: { Name: "no" },
      LogConfig: { Type: "none" },
    },
  };
}

/** Podman passes over the list that Docker has for it. */
function maskOf({ isPodman }: ContainerSources): readonly string[] {
  return isPodman ? [`mask=${MASKED.join(":")}`] : [];
}

function networkOf(holder: string | undefined): object {
  if (holder !== undefined) return { NetworkMode: `container:${holder}` };
  // SECURITY: no interface but loopback. Whatever is not done yet, nothing gets out before it is.
  return { NetworkMode: "none", Sysctls: KERNEL_SETTINGS };
}

function hostName({ name }: SandboxSpecification): string {
  return name.slice(0, 63);
}

/**
 * With an owner, as Docker's runtime gives each the mode that the image's own directory has. Podman knows no owner, gives
 * the mode, and would copy what the image has there.
 */
function temporaryTrees(sources: ContainerSources): Record<string, string> {
  const { account, temporaryBytes, isPodman } = sources;
  const own = isPodman ? "notmpcopyup" : `uid=${account.uid},gid=${account.gid}`;
  const options = (size: number): string => `rw,exec,nosuid,nodev,mode=1777,${own},size=${size}`;
  const trees = { "/tmp": temporaryBytes, "/var/tmp": temporaryBytes, "/run": RUN_BYTES };
  return Object.fromEntries(Object.entries(trees).map(([path, size]) => [path, options(size)]));
}

function mountsOf(sources: ContainerSources): readonly object[] {
  const { overlays, workspace, files, toolchains, isPodman } = sources;
  const readonly = [...files, ...toolchains].map((file) => ({ ...file, isReadonly: true }));
  return [
    ...overlays.map((overlay) => overlayMount(overlay, sources)),
    ...[...workspace, ...readonly].map((mount) => bindMount(mount, isPodman)),
  ];
}

/**
 * SECURITY: with all that is mounted below, which is what protects a workspace's paths: Docker's way. Podman's is to leave
 * that out once it is told anything of the mount, even what it does by itself.
 */
export function bindMount(
  { source, target, isReadonly }: WorkspaceMount,
  isPodman: boolean,
): object {
  const mount = { Type: "bind", Source: source, Target: target, ReadOnly: isReadonly };
  return isPodman ? mount : { ...mount, BindOptions: { Propagation: "rprivate" } };
}

/** A volume without a name goes with its container. Podman would take none of its options, so there it is made before. */
function overlayMount(overlay: OverlayPlan, { labels, volumes }: ContainerSources): object {
  const mount = { Type: "volume", Target: overlay.target };
  const name = volumes.get(overlay.target);
  if (name !== undefined) return { ...mount, Source: name, VolumeOptions: { NoCopy: true } };
  const { Driver: Name, DriverOpts: Options } = overlayVolume(overlay);
  const DriverConfig = { Name, Options };
  return { ...mount, VolumeOptions: { NoCopy: true, Labels: labels, DriverConfig } };
}

/** A volume that is an overlay. */
export function overlayVolume({ lower, upper, work }: OverlayPlan): {
  Driver: string;
  DriverOpts: Record<string, string>;
} {
  const o = `userxattr,nosuid,nodev,lowerdir=${lower.join(":")},upperdir=${upper},workdir=${work}`;
  return { Driver: "local", DriverOpts: { type: "overlay", device: "overlay", o } };
}

export function homeOverlay(directory: string, layers: readonly string[]): OverlayPlan {
  return {
    target: HOME,
    lower: layers,
    upper: `${directory}/home/upper`,
    work: `${directory}/home/work`,
  };
}
