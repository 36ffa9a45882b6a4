import { lstatSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { CattlegridError } from "../errors/error.ts";

/** `sockaddr_un` holds 108 bytes, of which the last is the terminating NUL. */
const SOCKET_PATH_BYTES_MAX = 107;
/** Room under the runtime directory for the longest socket name that a provider makes there. */
const SOCKET_NAME_BYTES = 40;

export interface PathSources {
  environment: Readonly<Record<string, string | undefined>>;
  uid: number;
  homeDirectory: string;
}

/** Where everything of one installation lies. */
export interface Paths {
  stateDirectory: string;
  databaseFile: string;
  logFile: string;
  /** What the running daemon says of itself: process id and socket. */
  daemonFile: string;
  egressDirectory: string;
  /** Where its owner may name an upstream proxy. */
  upstreamFile: string;
  /** Key and certificate of the authority that vouches for inspected hosts. */
  authorityFile: string;
  spoolDirectory: string;
  recordingsDirectory: string;
  /** Secrets and sign-ins, encrypted. */
  vaultDirectory: string;
  /** Files of the owner's that describe agents. */
  agentsDirectory: string;
  /** Templates of the owner's. */
  templatesDirectory: string;
  providerDirectory(providerId: string): string;
  /** Sockets; 0700, outside the state directory because socket paths must be short. */
  runtimeDirectory: string;
  socketFile: string;
}

/**
 * Pure but for resolving symbolic links, so that two spellings of one directory give one daemon. Throws STATE_NOT_OURS where
 * this account may not enter it.
 */
export function resolvePaths(sources: PathSources): Paths {
  const { environment, homeDirectory } = sources;
  const chosen = environment["CATTLEGRID_HOME"] || join(homeDirectory, ".local/share/cattlegrid");
  const stateDirectory = resolveEnterable(resolve(chosen));
  let runtimeDirectory: string | undefined;
  return {
    stateDirectory,
    databaseFile: join(stateDirectory, "state.db"),
    logFile: join(stateDirectory, "daemon.log"),
    daemonFile: join(stateDirectory, "daemon.json"),
    egressDirectory: join(stateDirectory, "egress"),
    upstreamFile: join(stateDirectory, "upstream.yaml"),
    authorityFile: join(stateDirectory, "inspection", "authority.pem"),
    spoolDirectory: join(stateDirectory, "spool"),
    recordingsDirectory: join(stateDirectory, "recordings"),
    vaultDirectory: join(stateDirectory, "vault"),
    agentsDirectory: join(stateDirectory, "agents"),
    templatesDirectory: join(stateDirectory, "templates"),
    providerDirectory: (providerId) => join(stateDirectory, "providers", providerId),
    get runtimeDirectory() {
      runtimeDirectory ??= join(runtimeRoot(sources), keyOf(stateDirectory));
      return runtimeDirectory;
    },
    get socketFile() {
      return join(this.runtimeDirectory, "api.sock");
    },
  };
}

function keyOf(stateDirectory: string): string {
  // Read only when it is needed: a client that finds the daemon's file does without, and is 5 ms quicker.
  const { hash } = process.getBuiltinModule("node:crypto");
  return hash("sha256", stateDirectory).slice(0, 16);
}

/** XDG_RUNTIME_DIR when it is ours and short enough, as `su` and `sudo -E` hand on somebody else's. */
function runtimeRoot({ environment, uid }: PathSources): string {
  const own = environment["XDG_RUNTIME_DIR"];
  if (own !== undefined && own.startsWith("/") && isOwnDirectory(own, uid)) {
    const root = join(own, "cattlegrid");
    const longest = Buffer.byteLength(root) + 1 + 16 + 1 + SOCKET_NAME_BYTES;
    if (longest <= SOCKET_PATH_BYTES_MAX) return root;
  }
  return `/tmp/cattlegrid-${uid}`;
}

function isOwnDirectory(path: string, uid: number): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === uid;
}

function resolveEnterable(directory: string): string {
  try {
    // Looking for a name in it needs the same rights as all that follows.
    lstatSync(join(directory, "daemon.json"), { throwIfNoEntry: false });
    return resolveExisting(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    throw new CattlegridError("STATE_NOT_OURS", `This account may not enter ${directory}.`);
  }
}

/** The real path of `path`, of which the last components need not exist yet. */
export function resolveExisting(path: string): string {
  const existing = existingAncestor(path);
  return join(realpathOf(existing), relative(existing, path));
}

/** `path` itself, or the nearest directory above it that exists. */
export function existingAncestor(path: string): string {
  let current = path;
  while (lstatSync(current, { throwIfNoEntry: false }) === undefined) {
    if (current === dirname(current)) return current;
    current = dirname(current);
  }
  return current;
}

function realpathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    // A dangling link stays as it is: whoever uses the path reports it.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return path;
    throw error;
  }
}

/** Whether `path` is `tree` or lies in it; both absolute and normalised. */
export function isWithin(path: string, tree: string): boolean {
  return path === tree || path.startsWith(tree.endsWith(sep) ? tree : tree + sep);
}

export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return;
  throw new CattlegridError("SOCKET_PATH_TOO_LONG", `The socket path ${path} is too long.`);
}

/** Makes the runtime directory and its parent, and refuses either unless only `uid` can enter it. */
export function openRuntimeDirectory(path: string, uid: number): void {
  for (const directory of [dirname(path), path]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    checkPrivateDirectory(directory, uid);
  }
}

/**
 * SECURITY: under /tmp anybody can make our directory first. A socket in a directory that somebody else
 * owns, can write, or has linked elsewhere would hand prompts and secrets to them, so such a one is
 * refused by server and client alike. /tmp is sticky: once ours, the name cannot be taken away.
 */
export function checkPrivateDirectory(path: string, uid: number): void {
  const found = lstatSync(path);
  const refuse = (why: string): never => {
    throw new CattlegridError("RUNTIME_DIRECTORY_UNSAFE", `${path} ${why}.`);
  };
  if (!found.isDirectory()) refuse("is not a directory");
  if (found.uid !== uid) refuse(`belongs to user ${found.uid}, not to user ${uid}`);
  if ((found.mode & 0o077) !== 0) refuse("can be entered or written by other users");
}
