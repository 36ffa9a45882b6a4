/** Turns events that are told by callback into a sequence that somebody reads. */
export interface EventQueue<T> extends AsyncIterable<T> {
  push(event: T): void;
  /** The sequence ends after what was pushed before. */
  end(): void;
  fail(error: unknown): void;
}

export function createEventQueue<T>(): EventQueue<T> {
  const waiting: T[] = [];
  let wake = Promise.withResolvers<void>();
  let ending: { error?: unknown } | undefined;
  const notify = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  return {
    push(event) {
      waiting.push(event);
      notify();
    },
    end() {
      ending ??= {};
      notify();
    },
    fail(error) {
      ending ??= { error };
      notify();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const woken = wake.promise;
        for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) yield event;
        if (ending !== undefined) {
          if ("error" in ending) throw ending.error;
          return;
        }
        await woken;
      }
    },
  };
}

/** No event at all: what counts is that the connection is there. */
export function untilAborted(signal: AbortSignal): AsyncIterable<never> {
  const events = createEventQueue<never>();
  if (signal.aborted) events.end();
  signal.addEventListener("abort", () => events.end(), { once: true });
  return events;
}
