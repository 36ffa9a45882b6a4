/** Events that are kept, so that every reader sees them from the first on, however late it comes. */
export interface EventLog<T> {
  append(event: T): void;
  /** Nothing follows; readers end after the last event. Idempotent. */
  close(): void;
  /** Ends without an error when `signal` aborts. */
  read(signal: AbortSignal): AsyncIterable<T>;
}

export interface EventLogOptions {
  /** Told each time a reader comes or goes. */
  onReaders?(count: number): void;
}

export function createEventLog<T>(options: EventLogOptions = {}): EventLog<T> {
  const events: T[] = [];
  let isClosed = false;
  let changed = Promise.withResolvers<void>();
  let readers = 0;
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const count = (difference: number): void => {
    readers += difference;
    options.onReaders?.(readers);
  };
  return {
    append(event) {
      events.push(event);
      wake();
    },
    close() {
      isClosed = true;
      wake();
    },
    async *read(signal) {
      const { promise: aborted, resolve } = Promise.withResolvers<void>();
      const onAbort = (): void => resolve();
      signal.addEventListener("abort", onAbort, { once: true });
      count(1);
      try {
        for (let next = 0; !signal.aborted;) {
          const waiting = changed.promise;
          const event = events[next];
          if (event !== undefined) {
            next++;
            yield event;
          } else if (isClosed) return;
          else await Promise.race([waiting, aborted]);
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
        count(-1);
      }
    },
  };
}
