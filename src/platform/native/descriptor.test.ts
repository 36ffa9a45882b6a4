import { closeSync, writeSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { openPipe, waitReadable } from "./descriptor.ts";

test("a wait is told what is readable, and nobody else's memory is written to meanwhile", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const pipes = Array.from({ length: 4 }, openPipe);
  const waits = pipes.map(({ readFd }) => waitReadable(readFd, 10_000));
  // So that it has begun when what it stands on would go.
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (let round = 0; round < 4; round += 1) collect();
  const others = Array.from({ length: 20_000 }, () => Buffer.alloc(8));
  for (const { writeFd } of pipes) writeSync(writeFd, "x");
  expect(await Promise.all(waits)).toEqual([true, true, true, true]);
  expect(others.filter((each) => each.some((byte) => byte !== 0))).toEqual([]);
  for (const { readFd, writeFd } of pipes) for (const fd of [readFd, writeFd]) closeSync(fd);
});
