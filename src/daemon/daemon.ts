import type { AgentAdapter } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import { removeDaemonFile, writeDaemonFile } from "../platform/daemon-start.ts";
import { openRuntimeDirectory, type Paths } from "../platform/paths.ts";
import type { Engine } from "../server/api.ts";
import { createServer } from "../server/server.ts";
import { watchIdle } from "./idle-watch.ts";

/** Ending all sessions and sandboxes takes well under a second; agents get some to put things away. */
const CLOSE_MS = 15_000;

export interface DaemonOptions {
  paths: Paths;
  uid: number;
  /** Version of the program. */
  version: string;
  /** In the order in which a person is offered them. */
  agents: readonly AgentAdapter[];
  /** Takes the state; throws STATE_LOCKED when another daemon has it. */
  openEngine(): Promise<DaemonEngine>;
  logger: Logger;
  /** How long it stays with nothing to do; Infinity for ever. */
  idleMs: number;
}

export interface DaemonEngine extends Engine {
  /** Ends every session and sandbox and gives the state free. Idempotent. */
  close(): Promise<void>;
}

export interface Daemon {
  /** Resolves when nothing of it is left, for whatever reason it went. */
  closed: Promise<void>;
  /** Stops every sandbox, then serving. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the engine and serves it. Resolves when clients can connect; throws what keeps it from that, and has
 * then let go of everything.
 */
export async function openDaemon(options: DaemonOptions): Promise<Daemon> {
  const { paths, uid, logger } = options;
  openRuntimeDirectory(paths.runtimeDirectory, uid);
  const engine = await options.openEngine();
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>();
  let closing: Promise<void> | undefined;
  const server = createServer({
    engine,
    logger,
    facts: {
      version: options.version,
      stateDirectory: paths.stateDirectory,
      startedAt: new Date().toISOString(),
      owner: `local:${uid}`,
      agents: options.agents,
    },
    control: { shutDown: () => void close(), reset: () => engine.sandboxes.removeEverything() },
  });
  const idle = watchIdle({
    idleMs: options.idleMs,
    isBusy: () =>
      server.countConnections() + engine.sandboxes.countRunning() + engine.sessions.countOpen() > 0,
    async retire() {
      if (!(await server.retire())) return false;
      logger.info("nothing to do");
      void close();
      return true;
    },
  });
  const closeAll = async (): Promise<void> => {
    idle.close();
    logger.info("the daemon ends");
    // Before the state is given free, or these would be the next daemon's; old clients still hear how it ends.
    removeDaemonFile(paths);
    await server.stopListening();
    try {
      await withinDeadline(engine.close());
    } finally {
      await server.close();
    }
    logger.info("the daemon has ended");
  };
  const close = (): Promise<void> => {
    closing ??= closeAll().then(resolve, reject);
    return closing;
  };
  try {
    await server.listen(paths.socketFile);
    writeDaemonFile(paths);
  } catch (error) {
    await close();
    throw error;
  }
  logger.info("the daemon listens", { pid: process.pid, version: options.version });
  return { closed, close };
}

/**
 * Whatever hangs, the daemon goes: what it leaves is found by the next one's reaper, but a daemon that neither serves
 * nor ends keeps its state locked for everybody.
 */
async function withinDeadline(closing: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const message = `The engine did not close within ${CLOSE_MS} ms.`;
  const timer = setTimeout(() => reject(new CattlegridError("INTERNAL", message)), CLOSE_MS);
  try {
    await Promise.race([closing, late]);
  } finally {
    clearTimeout(timer);
  }
}
