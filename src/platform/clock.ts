/** Where time comes from, so that a test can let a day pass. */
export interface Clock {
  /** Milliseconds since 1970, as people's clocks go: a machine that slept has aged. */
  now(): number;
  /** Calls again and again until it is disposed. */
  every(intervalMs: number, action: () => void): Disposable;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  every(intervalMs, action) {
    const timer = setInterval(action, intervalMs);
    timer.unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  },
};
