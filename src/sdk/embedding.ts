import { homedir } from "node:os";
import { createClient, type Cattlegrid } from "../client/client.ts";
import { readMirrors } from "../client/mirrors.ts";
import { openLocalDaemon, type Plugins } from "../daemon/local-daemon.ts";
import { readEnvironment } from "../platform/environment.ts";
import { openLogFile } from "../platform/logger.ts";
import { resolvePaths } from "../platform/paths.ts";
import { openStateDirectory } from "../platform/state-directory.ts";

export interface EngineOptions {
  /** State directory; default: CATTLEGRID_HOME, else the user's own. One process at a time has it. */
  home?: string;
  /** Of the caller; default: this process's. */
  environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * An engine in this process, with its API on a socket of the user's own, so that `cattlegrid` sees what runs in it. What
 * it runs ends with it. Throws STATE_LOCKED while another process has the state, and what keeps sandboxes from running.
 */
export function createEngine(options: EngineOptions = {}): Promise<Cattlegrid> {
  return openEngine(options);
}

export interface Composition {
  /** Default: all that are part of the product. */
  plugins?: Plugins;
  /** Called when nothing of the engine is left. */
  closed?(): void;
}

/** The same, of parts that need not be the product's. */
export async function openEngine(
  options: EngineOptions,
  { plugins, closed }: Composition = {},
): Promise<Cattlegrid> {
  const given = options.environment ?? readEnvironment();
  const { home } = options;
  const environment = home === undefined ? given : { ...given, CATTLEGRID_HOME: home };
  const uid = process.getuid?.() ?? -1;
  const homeDirectory = homedir();
  const paths = resolvePaths({ environment, uid, homeDirectory });
  openStateDirectory(paths.stateDirectory);
  const mirrors = await readMirrors({ environment, directory: process.cwd() });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => closed?.());
  const logger = openLogFile({ path: paths.logFile });
  opened.defer(() => logger.close());
  const places = { paths, uid, homeDirectory, environment };
  const daemon = await openLocalDaemon({
    ...places,
    logger,
    idleMs: Infinity,
    ...(plugins === undefined ? {} : { plugins }),
  });
  opened.defer(() => daemon.close());
  const owned = opened.move();
  return createClient(paths.socketFile, { mirrors, close: () => owned.disposeAsync() });
}
