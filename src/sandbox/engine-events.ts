import { randomUUID } from "node:crypto";
import type { EngineEvent } from "../protocol/engine-event.ts";

/** Enough for a reader that was away for a while; what is recorded of egress has a file of its own. */
const KEPT_MAX = 10_000;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An event that happened, before it has its place in the order. */
export type Happening = DistributiveOmit<Exclude<EngineEvent, { type: "gap" }>, "id" | "time">;

/** Everything that happens in one engine, in order, for as many readers as there are; the newest are kept. */
export interface EngineEvents {
  /** Never waits. */
  append(happening: Happening): void;
  /**
   * From now on, or from behind the event `after`. What is not kept any more, or a reader was too slow for, is told as
   * a `gap`. Ends without an error when `signal` aborts.
   */
  read(options: { after?: string; signal: AbortSignal }): AsyncIterable<EngineEvent>;
}

export function createEngineEvents(options: { keptMax?: number; now?(): Date } = {}): EngineEvents {
  const { keptMax = KEPT_MAX, now = () => new Date() } = options;
  // Ids of another engine are not taken for ours, however alike the numbers are.
  const origin = randomUUID().slice(0, 8);
  const kept: EngineEvent[] = [];
  let first = 0;
  let changed = Promise.withResolvers<void>();
  const end = (): number => first + kept.length;
  const idOf = (position: number): string => `${origin}-${position}`;
  return {
    append(happening) {
      kept.push({ ...happening, id: idOf(end()), time: now().toISOString() } as EngineEvent);
      if (kept.length > keptMax) {
        kept.shift();
        first++;
      }
      changed.resolve();
      changed = Promise.withResolvers();
    },
    async *read({ after, signal }) {
      const { promise: aborted, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve(), { once: true });
      let next = after === undefined ? end() : positionAfter(after, origin, end());
      while (!signal.aborted) {
        const waiting = changed.promise;
        if (next === undefined || next < first) {
          next = first;
          yield { type: "gap", id: idOf(first - 1), time: now().toISOString() };
        } else if (next < end()) yield kept[next++ - first] as EngineEvent;
        else await Promise.race([waiting, aborted]);
      }
    },
  };
}

/** Undefined for an id that is none of this engine's. */
function positionAfter(id: string, origin: string, end: number): number | undefined {
  const match = /^([0-9a-f]{8})-(-?\d{1,15})$/.exec(id);
  const position = Number(match?.[2]) + 1;
  return match?.[1] === origin && position <= end ? position : undefined;
}
