import { rm } from "node:fs/promises";
import { CattlegridError } from "../errors/error.ts";
import type { Logger } from "../platform/logger.ts";
import { removeDaemonFile, writeDaemonFile } from "../platform/daemon-start.ts";
import { openRuntimeDirectory, type Paths } from "../platform/paths.ts";
import type { Engine } from "../server/api.ts";
import { createServer, type Server } from "../server/server.ts";
import { watchIdle, type IdleWatch } from "./idle-watch.ts";
import type { TotalRemoval } from "../protocol/daemon.ts";

/** Ending all sessions and sandboxes takes well under a second; agents get some to put things away. */
const CLOSE_MS = 15_000;

export interface DaemonOptions {
  paths: Paths;
  uid: number;
  /** Version of the program. */
  version: string;
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
  openRuntimeDirectory(options.paths.runtimeDirectory, options.uid);
  const daemon = new ServingDaemon(options, await options.openEngine());
  try {
    await daemon.listen();
  } catch (error) {
    await daemon.close();
    throw error;
  }
  return daemon;
}

class ServingDaemon implements Daemon {
  readonly closed: Promise<void>;
  readonly #options: DaemonOptions;
  readonly #engine: DaemonEngine;
  readonly #server: Server;
  readonly #ending = Promise.withResolvers<void>();
  #idle: IdleWatch | undefined;
  #closing: Promise<void> | undefined;
  #isReset = false;

  constructor(options: DaemonOptions, engine: DaemonEngine) {
    const { paths, version, logger, uid } = options;
    this.#options = options;
    this.#engine = engine;
    this.closed = this.#ending.promise;
    this.#server = createServer({
      engine,
      logger,
      facts: {
        version,
        stateDirectory: paths.stateDirectory,
        startedAt: new Date().toISOString(),
        owner: `local:${uid}`,
      },
      control: { shutDown: () => void this.close(), reset: () => this.#reset() },
    });
  }

  async listen(): Promise<void> {
    const { paths, idleMs, logger, version } = this.#options;
    await this.#server.listen(paths.socketFile);
    writeDaemonFile(paths);
    this.#idle = watchIdle({
      idleMs,
      isBusy: () => this.#isBusy(),
      retire: () => this.#retire(),
      onFailure: (error) => logger.error("the daemon could not go", { error }),
    });
    logger.info("the daemon listens", { pid: process.pid, version });
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll().then(this.#ending.resolve, this.#ending.reject);
    return this.#closing;
  }

  #isBusy(): boolean {
    const { sandboxes, sessions } = this.#engine;
    const connections = this.#server.countConnections();
    return connections + sandboxes.countRunning() + sessions.countOpen() > 0;
  }

  async #retire(): Promise<boolean> {
    if (!(await this.#server.retire())) return false;
    this.#options.logger.info("nothing to do");
    void this.close();
    return true;
  }

  async #reset(): Promise<TotalRemoval> {
    const removal = await this.#engine.sandboxes.removeEverything();
    await this.#forgetVault();
    this.#isReset = true;
    return removal;
  }

  /** A keyring that does not answer keeps a key that opens nothing any more: no reason to keep all the rest. */
  async #forgetVault(): Promise<void> {
    try {
      await this.#engine.vault.destroy(AbortSignal.timeout(CLOSE_MS));
    } catch (error) {
      this.#options.logger.warn("the key of the vault could not be removed", { error });
    }
  }

  async #closeAll(): Promise<void> {
    const { paths, logger } = this.#options;
    this.#idle?.close();
    logger.info("the daemon ends");
    // Before the state is given free, or these would be the next daemon's; old clients still hear how it ends.
    removeDaemonFile(paths);
    await this.#server.stopListening();
    try {
      await withinDeadline(this.#engine.close());
    } finally {
      await this.#server.close();
    }
    // The client that asked for the reset removes the state, and may know another runtime directory.
    if (this.#isReset) await rm(paths.runtimeDirectory, { recursive: true, force: true });
    logger.info("the daemon has ended");
  }
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
