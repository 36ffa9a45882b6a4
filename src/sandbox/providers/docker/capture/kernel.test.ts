import { expect, test } from "vitest";
import { judgeKernel, type KernelSight, type OwnKernel } from "./kernel.ts";

const OWN: OwnKernel = { platform: "linux", release: "6.1.0-40-amd64", bootId: "0af5-77" };
const { release, bootId } = OWN;

test.each<[string, KernelSight, ReturnType<typeof judgeKernel>]>([
  ["of another release", { release: "6.10.14-linuxkit" }, "another"],
  [
    "of another release, whatever else it says",
    { release: "6.10", isInitSeen: true, bootId },
    "another",
  ],
  ["of this release, not looked at yet", { release }, "unknown"],
  ["whose container is not seen here", { release, isInitSeen: false }, "unknown"],
  ["whose container is seen here", { release, isInitSeen: true }, "ours"],
  ["that started when ours did", { release, isInitSeen: false, bootId }, "ours"],
  ["that started another time", { release, isInitSeen: false, bootId: "91c2-03" }, "another"],
  ["that does not say when it started", { release, isInitSeen: false, bootId: "" }, "another"],
])("a kernel %s", (_, sight, judged) => {
  expect(judgeKernel(OWN, sight)).toBe(judged);
});

test("on a system that is not Linux no kernel is ours", () => {
  const elsewhere: OwnKernel = { platform: "darwin", release, bootId: "" };
  expect(judgeKernel(elsewhere, { release, isInitSeen: true, bootId: "" })).toBe("another");
  expect(judgeKernel({ ...OWN, bootId: "" }, { release, bootId: "" })).toBe("another");
});
