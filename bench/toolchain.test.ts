import { describe, expect, it } from "vitest";
import { missedGates } from "./report.ts";
import { summarise } from "./statistics.ts";
import { compare } from "./toolchain.ts";

const machine = { processors: "", memoryGiB: 0, kernel: "", node: "", user: "", load: 0 };
const BARE = "the kernel's overlay alone";

function measure(times: Readonly<Record<string, number>>): ReturnType<typeof compare> {
  const summaries = Object.entries(times).map(([name, ms]) => [name, summarise([ms, ms])]);
  return compare("git", Object.fromEntries(summaries));
}

function missed(times: Readonly<Record<string, number>>): string[] {
  const figures = measure(times);
  return missedGates({ machine, date: "", figures }).map(({ what }) => what);
}

describe("the time of toolchains inside", () => {
  it("is held against the kernel's own overlay in mode overlay, and shown against outside", () => {
    const times = { outside: 100, [BARE]: 120, "mode overlay": 130 };
    expect(missed(times)).toEqual([]);
    expect(measure(times).map(({ what, value }) => [what, value])).toEqual([
      ["git outside, p50", 100],
      ["git, mode overlay, to outside", 1.3],
      [`git, mode overlay, to ${BARE}`, 130 / 120],
      [`git, ${BARE}, to outside`, 1.2],
    ]);
    expect(missed({ ...times, "mode overlay": 140 })).toEqual([`git, mode overlay, to ${BARE}`]);
  });

  it("is held against outside in the other modes, and in mode overlay where there is nothing else", () => {
    expect(missed({ outside: 100, "mode direct": 116, "mode overlay": 116 })).toEqual([
      "git, mode direct, to outside",
      "git, mode overlay, to outside",
    ]);
  });
});
