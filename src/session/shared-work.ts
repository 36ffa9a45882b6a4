import {
  shareStart,
  type SharedStart,
  type StartWatcher,
  type StartWork,
} from "../sandbox/life/shared-start.ts";

/** Work that is done once for all who ask for it at the same time, by what it makes. */
export interface SharedWork {
  /**
   * Waits for the work of this name, which begins with the first who asks. The last to give up leaves when everything
   * of it is cleared away.
   */
  run(name: string, work: StartWork, watcher: StartWatcher): Promise<void>;
}

interface RunningWork {
  shared: SharedStart;
  /** Aborts when nobody waits any more. */
  abandoned: AbortSignal;
  /** Resolves when nothing of the work is left to do. */
  cleaned: Promise<void>;
}

export function createSharedWork(): SharedWork {
  const running = new Map<string, RunningWork>();
  return {
    async run(name, work, watcher) {
      // One that nobody waits for any more is on its way out: it is no work to join.
      if (running.get(name)?.abandoned.aborted) await running.get(name)?.cleaned;
      let found = running.get(name);
      if (found === undefined) {
        found = begin((signal, report) => work(signal, report).finally(() => running.delete(name)));
        running.set(name, found);
      }
      try {
        await found.shared.watch(watcher);
      } catch (error) {
        if (found.abandoned.aborted) await found.cleaned;
        throw error;
      }
    },
  };
}

function begin(work: StartWork): RunningWork {
  const abandoned = new AbortController();
  const cleaned = Promise.withResolvers<void>();
  const shared = shareStart(async (signal, report) => {
    signal.addEventListener("abort", () => abandoned.abort(), { once: true });
    try {
      await work(signal, report);
    } finally {
      cleaned.resolve();
    }
  });
  return { shared, abandoned: abandoned.signal, cleaned: cleaned.promise };
}
