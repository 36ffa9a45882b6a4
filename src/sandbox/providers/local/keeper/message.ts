import { basename } from "node:path";
import type { UnprotectedPath } from "../../../mounts/protection.ts";

/** What the engine asks of the keeper; every request but `leave` is answered once under its number. */
export type KeeperRequest =
  | { kind: "setup"; request: number; setup: KeeperSetup }
  | { kind: "open"; request: number; plan: SandboxPlan }
  | { kind: "adopt"; request: number; sandbox: number; pid: number }
  | { kind: "protect"; request: number; sandbox: number; directory: string; paths: string[] }
  /** Connects to a port of the sandbox's loopback; the connection is sent before the answer, as at `open`. */
  | { kind: "connect"; request: number; sandbox: number; port: number }
  | { kind: "lay"; request: number; sandbox: number; late: LatePlan }
  | { kind: "close"; request: number; sandbox: number }
  | { kind: "stage"; request: number; sandbox: number; stage: StagePlan }
  | { kind: "map"; request: number; map: IdMap };

/**
 * The keeper's descriptor for sockets. Before it answers `open` it sends those that capture in one message: the request's
 * number in decimal digits, with TCP, UDP over IPv4 and, where there is IPv6, UDP over that. So it does with `connect`.
 */
export const SOCKETS_FD = 4;

export type KeeperReply =
  | { kind: "done"; request: number }
  /** The user namespace's descriptor in the keeper. */
  | { kind: "mapped"; request: number; fd: number }
  | {
      kind: "opened";
      request: number;
      networkFd: number;
      mounts: readonly TreeMount[];
      unprotected: readonly UnprotectedPath[];
    }
  /** After `protect` and `lay`. */
  | { kind: "protected"; request: number; unprotected: readonly UnprotectedPath[] }
  | {
      kind: "failed";
      request: number;
      code: string;
      message: string;
      hint: string;
      errno?: string;
    };

export interface KeeperSetup {
  /** Host directories laid at `MEMORY/<name>`, so that no path inside says where they lie. */
  directories: readonly { name: string; source: string }[];
  /** Program of the OCI runtime; its directory is laid read-only at RUNTIME. */
  runtime: string;
  /** Who owns the root directory of a sandbox, in host ids. */
  owner: { uid: number; gid: number };
}

/** One host tree that the runtime binds into a sandbox. */
export interface TreePlan {
  source: string;
  /** Name under the sandbox's own directory in the keeper's memory. */
  name: string;
  readonly: boolean;
  /** Key of an earlier `map` request: files appear with these ids. */
  idMap?: string;
  /** Paths below the tree, that become read-only and cannot be moved away. */
  protectedPaths: readonly string[];
  /** Paths below the tree, in place of which there is an empty file that cannot be opened. */
  maskedPaths?: readonly string[];
}

/** One mount of a tree: the tree itself, or one below it, the host's as well as ours. */
export interface TreeMount {
  tree: string;
  /** Relative to the tree; empty for the tree itself. */
  path: string;
  readonly: boolean;
}

export interface SandboxPlan {
  sandbox: number;
  /** Directories of the root file system, each after its parent, without a leading slash. */
  directories: readonly string[];
  links: readonly { name: string; target: string }[];
  trees: readonly TreePlan[];
  /**
   * Directories of a root file system, highest first, that lie below those above; a path without a leading slash is a
   * tree's name. `writable` has the directories `upper` and `work`.
   */
  root?: { lower: readonly string[]; writable: string };
}

/** Where, under its own directory, a sandbox's root file system is that stands on a base. */
export const ROOT_OVERLAY = "overlay";

/** What a running sandbox gets when somebody takes it over. */
export interface LatePlan {
  hostname: string;
  /** Laid at a path inside; absent: no workspace. */
  workspace?: { tree: TreePlan; path: string; place: "root" | "memory" };
}

/** What a runtime that cannot mount by itself finds mounted, beside the trees of its sandbox. */
export interface StagePlan {
  /** Each is mounted at its name under the sandbox's own directory; options as mount(8) takes them. */
  overlays: readonly { name: string; options: readonly string[] }[];
  /** Who owns the directory of the runtime's state, which is `STATE` beside them; in the keeper's ids. */
  owner: { uid: number; gid: number };
}

export const STATE = "state";

/** `pid` is a process, in the keeper's numbering, whose new user namespace takes on the maps. */
export interface IdMap {
  key: string;
  pid: number;
  uidMap: string;
  gidMap: string;
}

/** Where the keeper's own file system in memory lies, in its mount namespace only. */
export const MEMORY = "/sys";

/**
 * SECURITY: the runtime must not be written through /proc/PID/exe while it is inside a sandbox. On a read-only
 * mount it cannot be, so crun leaves out the copy of itself that it otherwise makes and executes at every start.
 */
export const RUNTIME = `${MEMORY}/runtime`;

/** Where the keeper has the runtime's program: runc looks at the whole directory, and must find it there. */
export function runtimePath(program: string): string {
  return `${RUNTIME}/${basename(program)}`;
}

/** An empty file that lies over what must not be reached. */
export const VOID = `${MEMORY}/void`;

export function sandboxMemory(sandbox: number): string {
  return `${MEMORY}/m/${sandbox}`;
}
