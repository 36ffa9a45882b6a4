import { asCattlegridError, CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { SandboxStart } from "../../protocol/sandbox.ts";
import type { StartEvent } from "../../protocol/start-event.ts";
import type { SandboxChange, SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import type { Gate } from "../egress/gates.ts";
import type { LaunchedSandbox } from "./launch.ts";
import type { RunningSandbox, SandboxEnding } from "../provider.ts";
import { shareStart, type SharedStart, type StartWatcher } from "./shared-start.ts";
import { nextStatus, type SandboxHappening } from "./status.ts";

export interface StartContext {
  request: SandboxStart;
  signal: AbortSignal;
  report(event: StartEvent): void;
}

/** What a sandbox's sessions must know of its life. */
export interface SandboxSessions {
  /** Ends every open session of the sandbox in good order, while it still runs. */
  endAll(sandboxId: string): Promise<void>;
  /** Tells whoever looks at its open sessions. */
  tell(sandboxId: string, text: string): void;
  /** Whether a turn is under way in it. */
  isWorking(sandboxId: string): boolean;
  /** What ran in the sandbox is gone; marks its open sessions lost. */
  loseAll(sandboxId: string, reason: string): Promise<void>;
}

export interface LifecycleOptions {
  store: Store;
  sessions: SandboxSessions;
  logger: Logger;
  now(): Date;
  /** Starts the sandbox of a row; also writes what it found into the row's specification. */
  launch(row: SandboxRow, context: StartContext): Promise<LaunchedSandbox>;
  /** It runs now, and what was changed while it started must reach it. */
  launched(id: string): Promise<void>;
  /** It is about to be ended; its sessions are, and it still runs. Never fails. */
  ending(id: string): Promise<void>;
  /** Nothing inside runs any more, for whatever reason. */
  ended(id: string): Promise<void>;
  /** Removes everything of a stopped sandbox but its row. Idempotent. */
  destroy(row: SandboxRow): Promise<void>;
}

/** Moves sandboxes through their statuses: per sandbox one step at a time, each recorded before the next. */
export interface Lifecycle {
  start(id: string, request: SandboxStart, watcher: StartWatcher): Promise<void>;
  /** Idempotent; aborts a start in progress. `reason` is kept with the sandbox. */
  stop(id: string, reason?: string): Promise<void>;
  /** Idempotent; aborts a start in progress. */
  remove(id: string): Promise<void>;
  running(id: string): RunningSandbox | undefined;
  /** Of a sandbox that runs. */
  gate(id: string): Gate | undefined;
  countRunning(): number;
  /** Resolves when no sandbox of this engine is left running. `endRest` must end them. */
  close(endRest: () => Promise<void>): Promise<void>;
}

interface LiveSandbox extends LaunchedSandbox {
  isStopping: boolean;
  /** Why it is stopped, when nobody asked for it. */
  stopReason?: string;
}

/** One sandbox's way through its statuses. Steps wait for each other in `#queue`. */
class SandboxLife {
  readonly #id: string;
  readonly #options: LifecycleOptions;
  /** The end of the last step that was asked for. Never rejects. */
  #queue: Promise<unknown> = Promise.resolve();
  #start: SharedStart | undefined;
  #live: LiveSandbox | undefined;
  /** The end of the settling of what ran last. Never rejects. */
  #settled: Promise<void> = Promise.resolve();

  constructor(id: string, options: LifecycleOptions) {
    this.#id = id;
    this.#options = options;
  }

  get running(): RunningSandbox | undefined {
    return this.#live?.running;
  }

  get gate(): Gate | undefined {
    return this.#live?.gate;
  }

  get isBusyOrRunning(): boolean {
    return this.#live !== undefined || this.#start !== undefined;
  }

  start(request: SandboxStart, watcher: StartWatcher): Promise<void> {
    this.#start ??= shareStart((signal, report) =>
      this.#enqueue(() => this.#begin({ request, signal, report })).finally(
        () => (this.#start = undefined),
      ),
    );
    return this.#start.watch(watcher);
  }

  stop(reason?: string): Promise<void> {
    this.#abortStart("stopped");
    return this.#enqueue(() => this.#stopNow(reason));
  }

  remove(): Promise<void> {
    this.#abortStart("removed");
    return this.#enqueue(() => this.#removeNow());
  }

  /** Something else is about to end what runs; nothing of it counts as a death. */
  expectEnd(): void {
    this.#abortStart("stopped");
    if (this.#live !== undefined) this.#live.isStopping = true;
  }

  async settled(): Promise<void> {
    await this.#queue;
    await this.#settled;
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(() => this.#settled).then(step);
    this.#queue = Promise.allSettled([done]);
    return done;
  }

  #abortStart(why: string): void {
    const message = `The sandbox was ${why} while it started.`;
    this.#start?.abort(new CattlegridError("INTERRUPTED", message));
  }

  /** Undefined when this cannot happen now, and then nothing was changed. */
  async #advance(
    happening: SandboxHappening,
    change: SandboxChange = {},
  ): Promise<SandboxRow | undefined> {
    const { store, logger } = this.#options;
    const row = await store.sandboxes.get(this.#id);
    const status = row === undefined ? undefined : nextStatus(row.status, happening);
    if (row === undefined || status === undefined) return undefined;
    await store.sandboxes.update(this.#id, { ...change, status });
    logger.info("sandbox", { id: this.#id, happening, status });
    return row;
  }

  async #begin(context: StartContext): Promise<void> {
    if (this.#live !== undefined) return;
    context.signal.throwIfAborted();
    const row = await this.#advance("start", { statusReason: null });
    if (row === undefined) throw await this.#whyNot();
    let launched: LaunchedSandbox;
    try {
      launched = await this.#options.launch(row, context);
    } catch (error) {
      const { message } = asCattlegridError(error, "SANDBOX_START_FAILED");
      await this.#advance("start-failed", { statusReason: message });
      throw error;
    }
    const live: LiveSandbox = { ...launched, isStopping: false };
    this.#live = live;
    await this.#options.launched(this.#id);
    await this.#advance("started", { startedAt: this.#options.now().toISOString() });
    void live.running.ended.then((ending) => {
      this.#live = undefined;
      this.#settled = this.#settle(live, ending);
    });
  }

  async #whyNot(): Promise<CattlegridError> {
    const row = await this.#options.store.sandboxes.get(this.#id);
    if (row === undefined) {
      return new CattlegridError("SANDBOX_NOT_FOUND", "The sandbox was removed.");
    }
    return new CattlegridError("SANDBOX_BUSY", `The sandbox ${row.name} is ${row.status}.`);
  }

  async #stopNow(reason: string | undefined): Promise<void> {
    if (this.#live === undefined) return;
    if (reason !== undefined) this.#live.stopReason = reason;
    await this.#advance("stop");
    try {
      await this.#end();
    } catch (error) {
      await this.#advance("stop-failed");
      throw error;
    }
  }

  async #removeNow(): Promise<void> {
    const row = await this.#advance("remove");
    if (row === undefined) return;
    await this.#end();
    await this.#options.destroy(row);
    await this.#options.store.sandboxes.remove(this.#id);
  }

  async #end(): Promise<void> {
    const live = this.#live;
    if (live === undefined) return;
    live.isStopping = true;
    try {
      await this.#options.sessions.endAll(this.#id);
      await this.#options.ending(this.#id);
      await live.running.stop();
    } catch (error) {
      live.isStopping = false;
      throw error;
    }
    await live.running.ended;
    await this.#settled;
  }

  async #settle(live: LiveSandbox, ending: SandboxEnding): Promise<void> {
    const { sessions, logger } = this.#options;
    const died = ending.kind === "died" ? ending.reason : undefined;
    try {
      await live.gate.close();
      await this.#options.ended(this.#id);
      if (died !== undefined || !live.isStopping) {
        await sessions.loseAll(this.#id, died ?? "the sandbox was stopped");
      }
      const stoppedAt = this.#options.now().toISOString();
      await this.#advance("ended", { statusReason: died ?? live.stopReason ?? null, stoppedAt });
    } catch (error) {
      logger.error("a sandbox ended and could not be settled", { id: this.#id, error });
    }
  }
}

export function createLifecycle(options: LifecycleOptions): Lifecycle {
  const lives = new Map<string, SandboxLife>();
  const lifeOf = (id: string): SandboxLife => {
    const life = lives.get(id) ?? new SandboxLife(id, options);
    lives.set(id, life);
    return life;
  };
  return {
    start: (id, request, watcher) => lifeOf(id).start(request, watcher),
    stop: (id, reason) => lifeOf(id).stop(reason),
    async remove(id) {
      await lifeOf(id).remove();
      lives.delete(id);
    },
    running: (id) => lives.get(id)?.running,
    gate: (id) => lives.get(id)?.gate,
    countRunning: () => [...lives.values()].filter((life) => life.isBusyOrRunning).length,
    async close(endRest) {
      const all = [...lives.values()];
      for (const life of all) life.expectEnd();
      await endRest();
      await Promise.all(all.map((life) => life.settled()));
    },
  };
}
