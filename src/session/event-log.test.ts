import { expect, test } from "vitest";
import { createEventLog } from "./event-log.ts";

const never = new AbortController().signal;

test("a reader sees every event, before and after it came, and ends with the log", async () => {
  const log = createEventLog<number>();
  log.append(1);
  const early = Array.fromAsync(log.read(never));
  await Promise.resolve();
  log.append(2);
  log.append(3);
  log.close();
  expect(await early).toEqual([1, 2, 3]);
  expect(await Array.fromAsync(log.read(never))).toEqual([1, 2, 3]);
});

test("an aborted reader ends without an error, and the others go on", async () => {
  const log = createEventLog<number>();
  const controller = new AbortController();
  const aborted = Array.fromAsync(log.read(controller.signal));
  const other = Array.fromAsync(log.read(never));
  log.append(1);
  controller.abort();
  expect(await aborted).toEqual([]);
  log.close();
  expect(await other).toEqual([1]);
});

test("readers are counted as they come and go, whichever way they go", async () => {
  const counts: number[] = [];
  const log = createEventLog<number>({ onReaders: (count) => counts.push(count) });
  log.append(1);
  for await (const event of log.read(never)) {
    expect(event).toBe(1);
    break;
  }
  expect(await Array.fromAsync(log.read(AbortSignal.abort()))).toEqual([]);
  expect(counts).toEqual([1, 0, 1, 0]);
});
