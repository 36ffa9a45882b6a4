import { CattlegridError } from "../../errors/error.ts";
import type { StartEvent } from "../../protocol/start-event.ts";

export interface StartWatcher {
  signal: AbortSignal;
  onEvent?: (event: StartEvent) => void;
}

/** A start in progress that any number of callers wait for. */
export interface SharedStart {
  /**
   * Resolves when the start is done; events that came before are told first. A caller that gives up leaves the
   * others waiting; when the last one does, the start is aborted.
   */
  watch(watcher: StartWatcher): Promise<void>;
  abort(reason: CattlegridError): void;
}

export type StartWork = (signal: AbortSignal, report: (event: StartEvent) => void) => Promise<void>;

export function shareStart(work: StartWork): SharedStart {
  const controller = new AbortController();
  const events: StartEvent[] = [];
  const listeners = new Set<(event: StartEvent) => void>();
  const report = (event: StartEvent): void => {
    events.push(event);
    for (const listener of listeners) listener(event);
  };
  let isDone = false;
  const done = work(controller.signal, report).finally(() => (isDone = true));
  // Each watcher is told of a failure; when none is left it must not count as unhandled.
  void Promise.allSettled([done]);
  let waiting = 0;
  return {
    abort: (reason) => controller.abort(reason),
    async watch({ signal, onEvent }) {
      const listener = onEvent ?? (() => undefined);
      for (const event of events) listener(event);
      listeners.add(listener);
      waiting++;
      try {
        await untilAborted(done, signal);
      } finally {
        listeners.delete(listener);
        waiting--;
        if (waiting === 0 && !isDone) controller.abort(interrupted());
      }
    },
  };
}

function interrupted(): CattlegridError {
  return new CattlegridError("INTERRUPTED", "Nobody waits for the sandbox any more.");
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(interrupted());
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
