import type { Socket } from "node:net";
import type { Logger } from "../platform/logger.ts";
import type { ProviderSetting } from "../protocol/provider.ts";
import type { CaptureSockets } from "./capture/capture-sockets.ts";
import type { ProcessRequest, SandboxProcess } from "./process.ts";

/**
 * The strength of the boundary, weakest first; `remote` repeats what a service states of itself. Only a fake, in which
 * nothing runs, states `none`.
 */
export type Isolation = "none" | "namespaces" | "container" | "gvisor" | "microvm" | "remote";

/** How the agent sees the user's files. */
export type WorkspaceMode = "direct" | "readonly" | "overlay" | "clone";

/** Everything a provider needs to make one sandbox. Plain data: it is stored and survives restarts. */
export interface SandboxSpecification {
  id: string;
  /** Becomes the host name inside. */
  name: string;
  /** How strong the boundary has to be. Default: what the provider states first. */
  isolation?: Isolation;
  /**
   * Real path of the user's directory, at which something is mounted inside: that directory, or another one of the
   * host, `source` (mode `clone`). Absent for a sandbox without one.
   */
  workspace?: { path: string; mode: WorkspaceMode; source?: string };
  /** Absolute paths inside the workspace that must stay read-only, by DESIGN §7; existing ones only. */
  protectedPaths: readonly string[];
  /** Relative to the workspace: sockets, pipes and devices, in place of which there is an empty file inside. */
  maskedPaths?: readonly string[];
  /** The root file system, in place of the provider's own. */
  base?: SandboxBase;
  /** Whether processes may be root inside, as a template's build needs; nothing of any person is in it then. Default: false. */
  hasRoot?: boolean;
  /** Layers laid under the home directory, lowest first; ids that `layers.seal` produced. */
  homeLayers: readonly string[];
  /** Absolute host directories laid read-only at the same path; their `bin` joins PATH. */
  toolchains: readonly string[];
  /** Kept with the sandbox; never holds a secret. */
  environment: Readonly<Record<string, string>>;
  gitIdentity?: { name?: string; email?: string };
  /** PEM certificates that join every trust store inside. */
  certificates: readonly string[];
  /** What a provider whose egress is `address` lets out. Absent: nothing. */
  addresses?: AddressPolicy;
  limits: { cpus?: number; memoryBytes?: number; pids?: number };
}

/** A root file system that `SandboxBases.prepare` made or looked at. Plain data. */
export interface SandboxBase {
  /** Of its content: letters, digits and hyphens. Also what programs are made for that are installed on it. */
  id: string;
  /** A directory of the host that it is; absent for one that the provider keeps. */
  directory?: string;
}

/** Where a root file system comes from. Paths are absolute. */
export type BaseSource =
  | { kind: "directory"; path: string }
  | { kind: "tar"; path: string; digest?: string }
  | { kind: "image"; reference: string; digest?: string };

/** Root file systems that are not the provider's own. */
export interface SandboxBases {
  /**
   * Makes a root file system ready, or finds it so. Throws BASE_INVALID, BASE_UNSUITABLE, BASE_CHECKSUM, BASE_UNAVAILABLE,
   * DEPENDENCY_MISSING or DISK_FULL; then nothing of it is kept.
   */
  prepare(source: BaseSource, options: { signal: AbortSignal }): Promise<SandboxBase>;
  /** Those that are kept, by id. */
  list(): Promise<readonly string[]>;
  /** Of one on which no sandbox stands; absent is success. */
  remove(id: string): Promise<void>;
  /** Bytes that one takes. Absent: nobody knows. */
  measure?(id: string): Promise<number>;
}

export type SandboxEnding = { kind: "stopped" } | { kind: "died"; reason: string };

/** A sandbox that runs. Only this has `exec`: a stopped one is data. */
export interface RunningSandbox {
  readonly id: string;
  /** The home directory inside. Default: `/home/agent`. */
  readonly home?: string;
  /** Facts for `inspect`, as they are when read: isolation grade, runtime and version, limits in force, what is not protected. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Resolves once, when nothing inside runs any more. Never rejects. */
  readonly ended: Promise<SandboxEnding>;
  exec(request: ProcessRequest, signal: AbortSignal): Promise<SandboxProcess>;
  /**
   * Connects to a port of the sandbox's own loopback; half open ends stay half open. Absent: the provider cannot.
   * Throws PORT_CLOSED when nothing listens there.
   */
  connect?(port: number): Promise<Socket>;
  /** Of a provider whose egress is `address`: lets out that and no more, once it resolves. Absent: it cannot be changed. */
  limitAddresses?(policy: AddressPolicy): Promise<void>;
  /**
   * Gives a sandbox in which nothing has run to whoever asked for one of this specification: name, workspace, protected
   * paths, environment and git identity are its from then on; all else is what it was started with. Absent:
   * `capabilities.warmPool` is false. Throws PROVIDER_UNSUPPORTED for what can be had at a start only; whatever it throws, the caller stops the sandbox.
   */
  takeOver?(specification: SandboxSpecification): Promise<void>;
  /** Ends every process inside; home and workspace stay. Idempotent. */
  stop(): Promise<void>;
}

export interface StartHooks {
  /** Called before anything runs inside; the sandbox does not start unless it returns. */
  onCapture(sockets: CaptureSockets): void;
}

/** One row of `doctor`: a probe that was executed. */
export interface Probe {
  name: string;
  status: "ok" | "missing" | "degraded";
  detail: string;
  /** A command to paste, for each row that is not ok. */
  remedy?: string;
}

/**
 * Who holds a sandbox to its egress policy. `enforced`: our gateway, at every connection and lookup. `address`: the
 * backend, by address alone; what nobody told it to let out stays in. `cooperative`: nobody, but programs that obey the proxy they are given. `none`: nobody.
 */
export type Egress = "enforced" | "address" | "cooperative" | "none";

/**
 * An egress policy in the words of a backend that knows addresses alone: everything, nothing, or ranges in CIDR form with
 * every port of them.
 */
export type AddressPolicy =
  | { reach: "everything" }
  | { reach: "nothing" }
  | { reach: "ranges"; cidrs: readonly string[] };

export type Limit = "cpus" | "memory" | "pids";

/**
 * What the workspace is inside. `shared`: a directory of the engine's machine, mounted. `copied`: a directory of the
 * sandbox's own, at the same path, which is empty when the provider makes it; what comes into it and out of it goes
 * through programs inside (`exec`), and it stays as long as the sandbox's home.
 */
export type WorkspaceFiles = "shared" | "copied";

/** What a provider can do, as data; nothing outside a provider asks which one it is. */
export interface SandboxCapabilities {
  /** The default first. */
  isolation: readonly Isolation[];
  workspaceModes: readonly WorkspaceMode[];
  workspaceFiles: WorkspaceFiles;
  /** Whose programs are inside: this machine's, or `own` ones, such as an image's. Default: host. */
  userland?: "host" | "own";
  /** Whether homes can stand on layers, by `SandboxProvider.layers`. Otherwise an agent is installed in each sandbox. */
  layers: boolean;
  egress: Egress;
  /** Which of them hold. */
  limits: readonly Limit[];
  /** Whether ports inside can be reached, by `RunningSandbox.connect`. */
  ports: boolean;
  /** Whether the state of a sandbox can be captured. */
  snapshot: boolean;
  /** Whether sandboxes are prepared before they are asked for. */
  warmPool: boolean;
  /** Whether a template's base can be their root file system, by `SandboxProvider.bases`. Absent: no. */
  bases?: boolean;
}

/** The same, as it is on this machine at this moment. */
export interface PresentCapabilities extends SandboxCapabilities {
  /** Grades that it knows and this machine lacks, with what to do about it. */
  lacking?: readonly { isolation: Isolation; why: string; remedy: string }[];
}

/** One of a provider's settings as it counts, for people: no secret's value is in it. */
export interface ShownSetting {
  key: string;
  /** Absent for a secret. */
  value?: string;
  origin: string;
}

/** Where a provider keeps its own, and what it is told of its surroundings. */
export interface ProviderPlace {
  /** Its alone, on disk; it stays from one engine to the next. */
  stateDirectory: string;
  /** Short, for sockets; only this user may enter it. Shared: a provider makes a directory of its own in it. */
  runtimeDirectory: string;
  /** Of the engine's process. */
  environment: Readonly<Record<string, string | undefined>>;
  /**
   * What counts of the plugin's `settings`, by their variables.
   * SECURITY: asked for at each use, and kept nowhere by the provider.
   */
  setting(variable: string): Promise<string | undefined>;
  logger: Logger;
}

/** A provider before it is needed: known by name and declaration; its code is loaded with the first use. */
export interface ProviderPlugin {
  readonly id: string;
  readonly declared: SandboxCapabilities;
  /** What it is told of a user's account or machine, such as a service's key. Default: nothing. */
  readonly settings?: readonly ProviderSetting[];
  load(place: ProviderPlace): Promise<SandboxProvider>;
}

/** Makes and finds sandboxes on one backend. Constructing one does no I/O. */
export interface SandboxProvider {
  readonly id: string;
  /** The most that it can do on any machine. */
  readonly declared: SandboxCapabilities;
  /** What of that this machine gives, now. Throws where the backend cannot be asked, with what to do about it. */
  capabilities(signal: AbortSignal): Promise<PresentCapabilities>;
  /** What is said of it now, for `doctor`. Absent where nobody is asked. */
  settings?(): Promise<readonly ShownSetting[]>;
  /** The same as it was when a sandbox that runs was started, for `inspect`. */
  settingsOf?(sandboxId: string): readonly ShownSetting[];
  /** Executes each check that `doctor` shows. */
  probe(signal: AbortSignal): Promise<readonly Probe[]>;
  /** Makes the directories of a sandbox; idempotent; nothing runs yet. */
  create(specification: SandboxSpecification, signal: AbortSignal): Promise<void>;
  start(
    specification: SandboxSpecification,
    hooks: StartHooks,
    signal: AbortSignal,
  ): Promise<RunningSandbox>;
  /** Removes everything of a stopped sandbox. Idempotent: absent is success. */
  destroy(sandboxId: string): Promise<void>;
  readonly layers: SandboxLayers;
  /** Absent where sandboxes stand on nothing but what the provider has. */
  readonly bases?: SandboxBases;
  /** What sandboxes in mode `overlay` wrote over their workspaces; absent where there is no such mode. */
  readonly overlays?: SandboxOverlays;
  /** Ends and removes whatever an earlier engine left that is not in `keep`; returns what it removed. */
  reap(keep: ReadonlySet<string>): Promise<readonly string[]>;
  /** Stops every sandbox and whatever the provider keeps resident. Idempotent. */
  close(): Promise<void>;
}

/** What one sandbox wrote over its workspace. */
export interface WorkspaceOverlay {
  /**
   * A directory of the engine's machine that holds what was written, as overlayfs keeps it (`userxattr`).
   * SECURITY: while the sandbox runs, the agent changes it under the reader's eyes, links included.
   */
  upper: string;
  /** Since when the sandbox sees the workspace; by the clock of files' change times. */
  begunAtNs: bigint;
}

export interface SandboxOverlays {
  /** Undefined for a sandbox that has none. */
  find(sandboxId: string): Promise<WorkspaceOverlay | undefined>;
  /** Drops what was written; the next start begins anew. Throws SANDBOX_BUSY while it runs. */
  discard(sandboxId: string): Promise<void>;
}

/** Immutable directories that several sandboxes share under their home. */
export interface SandboxLayers {
  list(): Promise<readonly string[]>;
  /**
   * What programs in layers are made for, such as an image: a layer serves only where this is the same. Letters, digits,
   * periods and hyphens. Absent: this machine's C library.
   */
  userland?(signal: AbortSignal): Promise<string>;
  /** Turns the home of a stopped sandbox into layer `layerId`, atomically; the sandbox is then empty. */
  seal(sandboxId: string, layerId: string): Promise<void>;
  remove(layerId: string): Promise<void>;
  /** Bytes that it takes on disk; 0 for one that is not there. Absent: the provider does not know. */
  measure?(layerId: string): Promise<number>;
}
