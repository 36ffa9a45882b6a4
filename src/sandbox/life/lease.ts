/** A connection that keeps an ephemeral sandbox alive. */
export interface Lease {
  /** Idempotent. */
  close(): void;
}

export interface Leases {
  /** Begins the time within which the first lease must come. */
  expect(sandboxId: string): void;
  open(sandboxId: string): Lease;
  /** Nothing more expires for this sandbox. */
  forget(sandboxId: string): void;
  count(): number;
  close(): void;
}

export interface LeasesOptions {
  /** How long an ephemeral sandbox waits for its first lease. */
  graceMs: number;
  /** The last lease closed, or none came in time. */
  onExpired(sandboxId: string): void;
}

interface Holding {
  count: number;
  timer?: NodeJS.Timeout;
}

export function createLeases({ graceMs, onExpired }: LeasesOptions): Leases {
  const holdings = new Map<string, Holding>();
  const expire = (sandboxId: string, holding: Holding): void => {
    clearTimeout(holding.timer);
    if (holdings.get(sandboxId) !== holding || holding.count > 0) return;
    holdings.delete(sandboxId);
    onExpired(sandboxId);
  };
  const forget = (sandboxId: string): void => {
    clearTimeout(holdings.get(sandboxId)?.timer);
    holdings.delete(sandboxId);
  };
  return {
    expect(sandboxId) {
      const holding: Holding = { count: 0 };
      holding.timer = setTimeout(() => expire(sandboxId, holding), graceMs);
      holdings.set(sandboxId, holding);
    },
    open(sandboxId) {
      const holding = holdings.get(sandboxId);
      // A sandbox that is not ephemeral has no holding: a lease on it keeps nothing and ends nothing.
      if (holding === undefined) return { close: () => undefined };
      clearTimeout(holding.timer);
      holding.count++;
      let isOpen = true;
      return {
        close() {
          if (!isOpen) return;
          isOpen = false;
          holding.count--;
          expire(sandboxId, holding);
        },
      };
    },
    forget,
    count: () => [...holdings.values()].reduce((sum, holding) => sum + holding.count, 0),
    close() {
      for (const sandboxId of holdings.keys()) forget(sandboxId);
    },
  };
}
