import { Refusal } from "./refusal.ts";
import type { FakeSandbox, Resources } from "./sandbox.ts";

/** What an organisation of the first tier may have at the same time, and in one sandbox. */
export interface Quota {
  total: Resources;
  perSandbox: Resources;
}

export const TIER_1: Quota = {
  total: { cpu: 10, memory: 20, disk: 30 },
  perSandbox: { cpu: 4, memory: 8, disk: 10 },
};

const WORDS = { cpu: "CPU", memory: "memory", disk: "disk" } as const;
/** Stopped sandboxes have no processor and no memory, but still a disk. */
const RUNNING = new Set([
  "creating",
  "started",
  "starting",
  "restoring",
  "pending_build",
  "building_snapshot",
]);

/** Throws a 400 when `wanted` is too much beside what there is. `self` is the sandbox that is started again. */
export function checkQuota(
  quota: Quota,
  wanted: Resources,
  ...[sandboxes, self]: readonly [readonly FakeSandbox[], FakeSandbox?]
): void {
  for (const resource of ["cpu", "memory", "disk"] as const) {
    const most = quota.perSandbox[resource];
    const word = WORDS[resource];
    if (wanted[resource] > most) {
      const asked = `${word} request ${wanted[resource]} exceeds maximum allowed per sandbox (${most})`;
      throw new Refusal(["api", 400], asked);
    }
    const used = sandboxes
      .filter((each) => each !== self && each.state !== "archived")
      .filter(({ state }) => resource === "disk" || RUNNING.has(state))
      .reduce((sum, { resources }) => sum + resources[resource], 0);
    const limit = quota.total[resource];
    if (used + wanted[resource] > limit) {
      throw new Refusal(["api", 400], `Total ${word} limit exceeded. Maximum allowed: ${limit}`);
    }
  }
}
