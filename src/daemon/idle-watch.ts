export interface IdleWatchOptions {
  idleMs: number;
  isBusy(): boolean;
  /** Called after `idleMs` of nothing to do; resolves to false when something came up, and the watch goes on. */
  retire(): Promise<boolean>;
  /** `retire` failed; it is tried again after another `idleMs`. */
  onFailure(error: unknown): void;
}

/** Ends a daemon that nobody needs. */
export interface IdleWatch {
  close(): void;
}

export function watchIdle({ idleMs, isBusy, retire, onFailure }: IdleWatchOptions): IdleWatch {
  if (!Number.isFinite(idleMs)) return { close: () => undefined };
  let busyAt = performance.now();
  let isRetiring = false;
  const look = async (): Promise<void> => {
    if (isBusy()) busyAt = performance.now();
    if (isRetiring || performance.now() - busyAt < idleMs) return;
    isRetiring = true;
    try {
      if (await retire()) clearInterval(timer);
    } catch (error) {
      onFailure(error);
    }
    isRetiring = false;
    busyAt = performance.now();
  };
  const timer = setInterval(() => void look(), Math.max(10, Math.min(1000, idleMs / 4)));
  return { close: () => clearInterval(timer) };
}
