import { formatDuration } from "../../protocol/duration.ts";

/** How long a sandbox runs by itself. Each is optional; the earlier one counts. */
export interface Lifetime {
  /** Stopped after this long with nothing going on in it. */
  idleStopMs?: number;
  /** Stopped this long after it was made, and not started any more. */
  maxAgeMs?: number;
}

/** What of a request is about its lifetime. */
export function readLifetime(request: {
  idleStopMs?: number | undefined;
  maxAgeMs?: number | undefined;
}): Lifetime {
  const { idleStopMs, maxAgeMs } = request;
  return {
    ...(idleStopMs === undefined ? {} : { idleStopMs }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  };
}

export interface LifetimeFacts {
  createdAtMs: number;
  /** When something went on in it last. */
  activeAtMs: number;
}

export interface LifetimeEnd {
  why: "idle" | "age";
  limitMs: number;
  atMs: number;
}

/** A warning comes this long before the end, or earlier in a short life. */
const WARNING_MS = 5 * 60_000;

/** What ends a running sandbox first, if anything does. */
export function findEnd(lifetime: Lifetime, facts: LifetimeFacts): LifetimeEnd | undefined {
  const ends: LifetimeEnd[] = [];
  const { idleStopMs, maxAgeMs } = lifetime;
  if (maxAgeMs !== undefined) {
    ends.push({ why: "age", limitMs: maxAgeMs, atMs: facts.createdAtMs + maxAgeMs });
  }
  if (idleStopMs !== undefined) {
    ends.push({ why: "idle", limitMs: idleStopMs, atMs: facts.activeAtMs + idleStopMs });
  }
  return ends.toSorted((a, b) => a.atMs - b.atMs)[0];
}

export function hasExpired({ maxAgeMs }: Lifetime, createdAtMs: number, nowMs: number): boolean {
  return maxAgeMs !== undefined && nowMs >= createdAtMs + maxAgeMs;
}

/** From when on those who look at a sandbox are told of its end. */
export function warnsFrom({ atMs, limitMs }: LifetimeEnd): number {
  return atMs - Math.min(WARNING_MS, limitMs / 4);
}

export function describeEnd({ why, limitMs }: LifetimeEnd): string {
  const limit = formatDuration(limitMs);
  return why === "idle" ? `it was idle for ${limit}` : `it reached its maximum age of ${limit}`;
}

/** SECURITY: plain text of ours; it is shown on terminals. */
export function describeWarning({ why, limitMs, atMs }: LifetimeEnd): string {
  const time = new Date(atMs).toTimeString().slice(0, 8);
  const limit = formatDuration(limitMs);
  return why === "idle"
    ? `cattlegrid: this sandbox is idle; it is stopped at ${time} unless something goes on in it (idle stop ${limit}).`
    : `cattlegrid: this sandbox is stopped at ${time}, at its maximum age of ${limit}.`;
}
