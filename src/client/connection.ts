import { homedir } from "node:os";
import { CattlegridError } from "../errors/error.ts";
import { ensureDaemon, findDaemon } from "../platform/daemon-start.ts";
import { readEnvironment } from "../platform/environment.ts";
import { resolvePaths } from "../platform/paths.ts";
import { createClient, type Cattlegrid } from "./client.ts";
import { readMirrors } from "./mirrors.ts";

export interface ConnectOptions {
  /** State directory of the daemon; default: CATTLEGRID_HOME, else the user's own. */
  home?: string;
  /** Instead of looking for a daemon: where its API is. */
  socket?: string;
  /** Starts the daemon when none runs. Default true. */
  start?: boolean;
  /** Of the caller; default: this process's. */
  environment?: Readonly<Record<string, string | undefined>>;
  signal?: AbortSignal;
}

/** Finds the user's daemon, which is started when there is none. Throws what it says about why it cannot start. */
export async function connect(options: ConnectOptions = {}): Promise<Cattlegrid> {
  const mirrors = await readMirrors({
    environment: options.environment ?? readEnvironment(),
    directory: process.cwd(),
  });
  return createClient(options.socket ?? (await findSocket(options)), { mirrors });
}

async function findSocket(options: ConnectOptions): Promise<string> {
  const { home, start = true, signal = new AbortController().signal } = options;
  const given = options.environment ?? readEnvironment();
  const environment = home === undefined ? given : { ...given, CATTLEGRID_HOME: home };
  const uid = process.getuid?.() ?? -1;
  const paths = resolvePaths({ environment, uid, homeDirectory: homedir() });
  if (start) return ensureDaemon({ paths, uid, environment, signal });
  const found = await findDaemon(paths, uid);
  if (found !== undefined) return found;
  throw new CattlegridError("DAEMON_UNREACHABLE", "No daemon runs.");
}
