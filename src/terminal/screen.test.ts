import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ScreenRequest } from "./screen-protocol.ts";
import { Screen } from "./screen.ts";

const KIB = 1024;
const BATCH = Buffer.alloc(256 * KIB, "x");

describe("the screen of a program that writes faster than it can be parsed", () => {
  let sent: ScreenRequest[];
  let screen: Screen;
  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    screen = new Screen({
      screenId: 1,
      size: { columns: 80, rows: 24 },
      send: (request) => sent.push(request),
      onClose: () => undefined,
    });
  });
  afterEach(() => {
    screen.close();
    vi.useRealTimers();
  });

  const batches = (): number[] =>
    sent.flatMap((request) => (request.kind === "write" ? [request.bytes.length] : []));
  const take = (bytes: number): void => screen.receive({ kind: "taken", screenId: 1, bytes });

  test("rests after a full batch for a multiple of the time that it took", () => {
    for (let count = 0; count < 3; count++) screen.write(BATCH);
    vi.advanceTimersByTime(20);
    expect(batches()).toEqual([BATCH.length]);
    vi.advanceTimersByTime(10);
    take(BATCH.length);
    vi.advanceTimersByTime(39);
    expect(batches()).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(batches()).toEqual([BATCH.length, BATCH.length]);
  });

  test("goes on at once after a batch that was not full", () => {
    screen.write(BATCH.subarray(0, KIB));
    vi.advanceTimersByTime(30);
    screen.write(BATCH.subarray(0, KIB));
    take(KIB);
    expect(batches()).toEqual([KIB, KIB]);
  });

  test("is shown whole to whoever asks for it, without a rest", async () => {
    for (let count = 0; count < 3; count++) screen.write(BATCH);
    vi.advanceTimersByTime(20);
    const snapshot = screen.snapshot();
    expect(batches()).toEqual([BATCH.length, 2 * BATCH.length]);
    expect(sent.at(-1)).toMatchObject({ kind: "snapshot" });
    screen.receive({
      kind: "snapshot",
      screenId: 1,
      bytes: BATCH,
      size: { columns: 80, rows: 24 },
    });
    expect((await snapshot)?.bytes).toBe(BATCH);
  });
});
