/** The public keys with which SSH servers of this moment prove that they are a sandbox's. */
export interface HostKeys {
  list(sandboxId: string): readonly string[];
  /** Until it is disposed of, once. */
  offer(sandboxId: string, key: string): Disposable;
}

export function createHostKeys(): HostKeys {
  const offered = new Map<string, Set<{ key: string }>>();
  return {
    list: (sandboxId) => [...(offered.get(sandboxId) ?? [])].map(({ key }) => key),
    offer(sandboxId, key) {
      const offer = { key };
      const offers = offered.get(sandboxId) ?? new Set();
      offered.set(sandboxId, offers.add(offer));
      return {
        [Symbol.dispose]() {
          offers.delete(offer);
          if (offers.size === 0 && offered.get(sandboxId) === offers) offered.delete(sandboxId);
        },
      };
    },
  };
}
