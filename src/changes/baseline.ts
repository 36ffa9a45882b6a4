import { readFileSync } from "node:fs";
import { z } from "zod";
import { digest } from "./change.ts";
import type { Tree } from "./tree.ts";
import { hasErrno } from "../platform/native/libc.ts";

const baselineSchema = z.strictObject({
  version: z.literal(1),
  /** What the host got at each path that was applied, as `digest` writes it. */
  applied: z.record(z.string(), z.string()),
});

/** What earlier applications gave the host: from there on, both sides are compared with it. */
export type Baseline = ReadonlyMap<string, string>;

/**
 * Reads what `renderBaseline` wrote; empty when there is none. `onCorrupt` hears of one that cannot be read, which is then as good
 * as none: what was applied before and changed since shows as a conflict, and nothing is overwritten.
 */
export function readBaseline(file: string, onCorrupt: (error: unknown) => void): Baseline {
  try {
    const { applied } = baselineSchema.parse(JSON.parse(readFileSync(file, "utf8")));
    return new Map(Object.entries(applied));
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) onCorrupt(error);
    return new Map();
  }
}

/**
 * What is to be known of a workspace beside the times of its files: what is staged in its repository. Undefined when there is
 * nothing of that kind.
 */
export function baselineOf(host: Tree): Baseline | undefined {
  const index = ".git/index";
  const entry = host.look(index);
  return entry && new Map([[index, digest({ tree: host, path: index }, entry)]]);
}

export function renderBaseline(baseline: Baseline): string {
  return JSON.stringify({ version: 1, applied: Object.fromEntries(baseline) });
}
