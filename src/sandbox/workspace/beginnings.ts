import type { ChangeSource } from "../../changes/change-source.ts";
import { recordBeginning } from "../../changes/merging/beginning-record.ts";
import type { Logger } from "../../platform/logger.ts";

export interface BeginningsOptions {
  logger: Logger;
  open(id: string): Promise<ChangeSource>;
}

/** Notes what the files of workspaces held when their sandboxes began. */
export interface Beginnings {
  /** Never fails: of a sandbox for which it does not come to an end nothing can be merged. */
  note(id: string): Promise<void>;
  /** Gives it up for one sandbox. */
  abandon(id: string): void;
  close(): void;
}

export function createBeginnings({ logger, open }: BeginningsOptions): Beginnings {
  const closing = new AbortController();
  const under = new Map<string, AbortController>();
  return {
    async note(id) {
      const abandoning = new AbortController();
      under.set(id, abandoning);
      const signal = AbortSignal.any([abandoning.signal, closing.signal]);
      try {
        signal.throwIfAborted();
        await recordBeginning({ ...(await open(id)), signal });
      } catch (error) {
        if (!signal.aborted) logger.warn("what a sandbox began from is not known", { id, error });
      } finally {
        if (under.get(id) === abandoning) under.delete(id);
      }
    },
    abandon: (id) => under.get(id)?.abort(),
    close: () => closing.abort(),
  };
}
