import { expect, test } from "vitest";
import type { Clock } from "../../platform/clock.ts";
import type { Activity } from "./lifetime-watch.ts";
import { watchLifetimes } from "./lifetime-watch.ts";
import { findEnd, hasExpired, type Lifetime } from "./lifetime.ts";

const MINUTE_MS = 60_000;

/** Time that passes only when it is told to, a second at a time. */
class TestClock implements Clock {
  #nowMs = Date.parse("2026-01-01T12:00:00Z");
  readonly #actions = new Set<() => void>();

  now(): number {
    return this.#nowMs;
  }

  every(_intervalMs: number, action: () => void): Disposable {
    this.#actions.add(action);
    return { [Symbol.dispose]: () => void this.#actions.delete(action) };
  }

  pass(durationMs: number): void {
    for (let at = 0; at < durationMs; at += 1000) {
      this.#nowMs += 1000;
      for (const action of this.#actions) action();
    }
  }

  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  get watchers(): number {
    return this.#actions.size;
  }
}

function watch(lifetime: Lifetime) {
  const clock = new TestClock();
  const activity: Activity = { bytes: 0, isBusy: false };
  const [stopped, warned]: [string[], string[]] = [[], []];
  const lifetimes = watchLifetimes({
    clock,
    measure: () => ({ ...activity }),
    warn: (_id, text) => void warned.push(text),
    stop: (_id, reason) => void stopped.push(reason),
  });
  const ended = Promise.withResolvers<void>();
  lifetimes.follow({ id: "a", createdAtMs: clock.now(), lifetime, ended: ended.promise });
  return { clock, activity, stopped, warned, lifetimes, ended };
}

test("a sandbox in which nothing goes on is stopped when its time is over, and once", () => {
  const { clock, stopped, warned } = watch({ idleStopMs: 30 * MINUTE_MS });
  clock.pass(30 * MINUTE_MS - 1000);
  expect(stopped).toEqual([]);
  clock.pass(60 * MINUTE_MS);
  expect(stopped).toEqual(["it was idle for 30m"]);
  expect(warned).toEqual([expect.stringContaining("is idle; it is stopped at ")]);
});

test("bytes that move put the end off, and the next one is warned of anew", () => {
  const { clock, activity, stopped, warned, lifetimes } = watch({ idleStopMs: 30 * MINUTE_MS });
  clock.pass(26 * MINUTE_MS);
  expect(warned).toHaveLength(1);
  activity.bytes++;
  clock.pass(1000);
  expect(lifetimes.idleStopsAt("a")).toBe(clock.now() + 30 * MINUTE_MS);
  clock.pass(26 * MINUTE_MS);
  expect([stopped, warned.length]).toEqual([[], 2]);
});

test("what works in silence keeps a sandbox for as long as it works", () => {
  const { clock, activity, stopped } = watch({ idleStopMs: MINUTE_MS });
  activity.isBusy = true;
  clock.pass(120 * MINUTE_MS);
  activity.isBusy = false;
  clock.pass(59_000);
  expect(stopped).toEqual([]);
  clock.pass(1000);
  expect(stopped).toHaveLength(1);
});

test("no work puts off the maximum age", () => {
  const { clock, activity, stopped, warned } = watch({ maxAgeMs: 480 * MINUTE_MS });
  activity.isBusy = true;
  clock.pass(480 * MINUTE_MS);
  expect(stopped).toEqual(["it reached its maximum age of 8h"]);
  expect(warned).toHaveLength(1);
});

test("a clock that is set back does not keep an idle sandbox for ever", () => {
  const { clock, stopped } = watch({ idleStopMs: MINUTE_MS });
  clock.set(clock.now() - 1_000_000_000);
  clock.pass(MINUTE_MS + 1000);
  expect(stopped).toHaveLength(1);
});

test("a sandbox without limits is not looked at, nor one that has ended", async () => {
  expect(watch({}).clock.watchers).toBe(0);
  const { clock, ended } = watch({ maxAgeMs: MINUTE_MS });
  expect(clock.watchers).toBe(1);
  ended.resolve();
  await ended.promise;
  await Promise.resolve();
  expect(clock.watchers).toBe(0);
});

test("the earlier of both ends counts, and age outlasts a restart", () => {
  const lifetime = { idleStopMs: 10, maxAgeMs: 100 };
  expect(findEnd(lifetime, { createdAtMs: 0, activeAtMs: 50 })).toMatchObject({ atMs: 60 });
  expect(findEnd(lifetime, { createdAtMs: 0, activeAtMs: 95 })).toMatchObject({ why: "age" });
  expect([hasExpired(lifetime, 0, 99), hasExpired(lifetime, 0, 100)]).toEqual([false, true]);
});
