const SLICE_MS = 10;

/** Lets the rest of the process run now and then during long synchronous work. */
export interface Pace {
  /** Resolves at once most of the time. Rejects with the signal's reason. */
  next(): Promise<void>;
}

export function createPace(signal: AbortSignal): Pace {
  let sliceEnd = performance.now() + SLICE_MS;
  return {
    async next() {
      if (performance.now() < sliceEnd) return;
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      sliceEnd = performance.now() + SLICE_MS;
    },
  };
}
