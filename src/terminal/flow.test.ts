import { describe, expect, test } from "vitest";
import { decideFlow, type FlowState } from "./flow.ts";

const LIMITS = { windowBytes: 100, memoryBytes: 1000, spoolBytes: 5000 };
const QUIET: FlowState = {
  end: 10_000,
  memoryBytes: 0,
  spooledBytes: 0,
  isSpillBroken: false,
  offsets: [],
};

describe("what a terminal does with its output", () => {
  test.each<[string, Partial<FlowState>, ReturnType<typeof decideFlow>]>([
    ["lets a program write that nobody watches", {}, { isHeld: false, spills: false }],
    [
      "puts on disk what nobody reads and memory cannot hold",
      { memoryBytes: 1001 },
      { isHeld: false, spills: true },
    ],
    [
      "holds the program when the disk's share is full too",
      { memoryBytes: 1001, spooledBytes: 5001 },
      { isHeld: true, spills: true },
    ],
    [
      "holds the program when nothing can be put on disk",
      { isSpillBroken: true },
      { isHeld: true, spills: false },
    ],
    [
      "holds nothing for a full disk while every viewer keeps up",
      { isSpillBroken: true, spooledBytes: 5001, offsets: [9_900, 10_000] },
      { isHeld: false, spills: false },
    ],
    [
      "holds the program at the end of its one viewer's window, without the disk",
      { offsets: [9_899], memoryBytes: 1001 },
      { isHeld: true, spills: false },
    ],
    [
      "keeps for the slower of two viewers what the faster one has read, on disk",
      { offsets: [5_000, 10_000], memoryBytes: 1001 },
      { isHeld: false, spills: true },
    ],
    [
      "goes at the pace of the faster of two that are both behind",
      { offsets: [5_000, 9_000], memoryBytes: 1001 },
      { isHeld: true, spills: true },
    ],
  ])("%s", (_, state, decided) => {
    expect(decideFlow({ ...QUIET, ...state }, LIMITS)).toEqual(decided);
  });
});
