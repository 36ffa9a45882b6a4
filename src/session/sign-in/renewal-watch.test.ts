import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SILENT_LOGGER } from "../../platform/logger.ts";
import { RenewalWatch } from "./renewal-watch.ts";

const PLACE = { owner: "local:7", agent: "tool", profile: "default" };
const MINUTE_MS = 60_000;

let renewed: string[];
let fails: boolean;
let watch: RenewalWatch;

beforeEach(() => {
  vi.useFakeTimers();
  renewed = [];
  fails = false;
  watch = new RenewalWatch({
    now: () => new Date(),
    logger: SILENT_LOGGER,
    async renew({ profile }) {
      renewed.push(profile);
      if (fails) throw new Error("no answer");
    },
  });
});
afterEach(() => {
  watch[Symbol.dispose]();
  vi.useRealTimers();
});

function inMinutes(minutes: number): Date {
  return new Date(Date.now() + minutes * MINUTE_MS);
}

describe("a sign-in in use", () => {
  test("is renewed when its time comes, and not before", async () => {
    watch.expect(PLACE, inMinutes(50));
    await vi.advanceTimersByTimeAsync(49 * MINUTE_MS);
    expect(renewed).toEqual([]);
    await vi.advanceTimersByTimeAsync(2 * MINUTE_MS);
    expect(renewed).toEqual(["default"]);
  });

  test("is renewed once however many sandboxes were given it, each profile for itself", async () => {
    for (const minutes of [10, 20, 30]) watch.expect(PLACE, inMinutes(minutes));
    watch.expect({ ...PLACE, profile: "other" }, inMinutes(5));
    await vi.advanceTimersByTimeAsync(40 * MINUTE_MS);
    expect(renewed).toEqual(["other", "default"]);
  });

  test("is tried again after a while when it could not be renewed, and not in a loop", async () => {
    fails = true;
    watch.expect(PLACE, inMinutes(-10));
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS);
    expect(renewed).toHaveLength(10);
    fails = false;
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(renewed).toHaveLength(11);
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
    expect(renewed).toHaveLength(11);
  });

  test("is left alone once it does not end by itself, is removed, or the engine closes", async () => {
    watch.expect(PLACE, inMinutes(10));
    watch.expect(PLACE, undefined);
    watch.expect({ ...PLACE, profile: "closed" }, inMinutes(10));
    watch[Symbol.dispose]();
    watch.expect(PLACE, inMinutes(10));
    await vi.advanceTimersByTimeAsync(60 * MINUTE_MS);
    expect(renewed).toEqual([]);
  });
});
