import type { Clock } from "../../platform/clock.ts";
import {
  describeEnd,
  describeWarning,
  findEnd,
  warnsFrom,
  type Lifetime,
  type LifetimeEnd,
} from "./lifetime.ts";

/** What goes on in a sandbox: bytes that moved so far, and whether something works without moving any. */
export interface Activity {
  bytes: number;
  isBusy: boolean;
}

export interface WatchedSandbox {
  id: string;
  createdAtMs: number;
  lifetime: Lifetime;
  /** Resolves when it runs no more. */
  ended: Promise<unknown>;
}

export interface LifetimeWatchOptions {
  clock: Clock;
  measure(sandboxId: string): Activity;
  /** Told once before an end, and again when another end has come near. */
  warn(sandboxId: string, text: string): void;
  /** Its time is over; `reason` says why. */
  stop(sandboxId: string, reason: string): void;
}

/** Ends running sandboxes whose time is over. */
export interface LifetimeWatch {
  /** Watches until the sandbox has ended. Costs nothing for one without limits. */
  follow(sandbox: WatchedSandbox): void;
  /** When it will be stopped for want of activity, as things stand. */
  idleStopsAt(sandboxId: string): number | undefined;
}

const LOOK_MS = { min: 20, max: 5000 };

export function watchLifetimes(options: LifetimeWatchOptions): LifetimeWatch {
  const watched = new Map<string, Watch>();
  return {
    follow(sandbox) {
      const { idleStopMs, maxAgeMs } = sandbox.lifetime;
      const shortest = Math.min(idleStopMs ?? Infinity, maxAgeMs ?? Infinity);
      if (!Number.isFinite(shortest)) return;
      const watch = new Watch(sandbox, options);
      watched.set(sandbox.id, watch);
      const everyMs = Math.min(LOOK_MS.max, Math.max(LOOK_MS.min, shortest / 20));
      const timer = options.clock.every(everyMs, () => watch.look());
      void sandbox.ended.then(() => {
        timer[Symbol.dispose]();
        if (watched.get(sandbox.id) === watch) watched.delete(sandbox.id);
      });
    },
    idleStopsAt: (sandboxId) => watched.get(sandboxId)?.idleStopsAt(),
  };
}

class Watch {
  readonly #sandbox: WatchedSandbox;
  readonly #options: LifetimeWatchOptions;
  #activeAtMs: number;
  #bytes: number;
  #warned: LifetimeEnd | undefined;
  #isOver = false;

  constructor(sandbox: WatchedSandbox, options: LifetimeWatchOptions) {
    this.#sandbox = sandbox;
    this.#options = options;
    this.#activeAtMs = options.clock.now();
    this.#bytes = options.measure(sandbox.id).bytes;
  }

  idleStopsAt(): number | undefined {
    const { idleStopMs } = this.#sandbox.lifetime;
    return idleStopMs === undefined ? undefined : this.#activeAtMs + idleStopMs;
  }

  look(): void {
    const { id, lifetime, createdAtMs } = this.#sandbox;
    const now = this.#options.clock.now();
    const { bytes, isBusy } = this.#options.measure(id);
    // A clock that was set back must not make a sandbox live for ever.
    if (isBusy || bytes !== this.#bytes || this.#activeAtMs > now) this.#activeAtMs = now;
    this.#bytes = bytes;
    const end = findEnd(lifetime, { createdAtMs, activeAtMs: this.#activeAtMs });
    if (end === undefined || this.#isOver) return;
    if (now >= end.atMs) {
      this.#isOver = true;
      this.#options.stop(id, describeEnd(end));
    } else if (now >= warnsFrom(end)) this.#warn(end);
  }

  #warn(end: LifetimeEnd): void {
    if (this.#warned?.why === end.why && this.#warned.atMs === end.atMs) return;
    this.#warned = end;
    this.#options.warn(this.#sandbox.id, describeWarning(end));
  }
}
