import type { DescriptionOptions } from "../making/description.ts";
import { describeNew } from "../making/making.ts";
import type { Recovery } from "../life/recovery.ts";
import { planStart, type StartingOptions } from "../life/starting.ts";
import { WarmPools, type WarmPoolsOptions } from "./pools.ts";

export type WarmPoolParts = Omit<WarmPoolsOptions, "describe" | "plan"> &
  DescriptionOptions &
  StartingOptions & { now(): Date };

/** Pools whose sandboxes are made as any other is, but for a workspace. */
export function createWarmPools(options: WarmPoolParts, recovery: Recovery): WarmPools {
  return new WarmPools({
    ...options,
    describe: (owner, { template: name, wish }) => {
      const { parameters, provider, mirrors } = wish;
      const request = {
        template: { name, ...(parameters === undefined ? {} : { parameters }) },
        workspace: null,
        ...(provider === undefined ? {} : { provider }),
        ...(mirrors === undefined ? {} : { mirrors }),
      };
      return describeNew(options, owner, { request, workspace: null });
    },
    async plan(row, pins, signal) {
      await recovery.of(row.provider);
      return planStart(options, row, { request: {}, pins, signal, report: () => undefined });
    },
  });
}
