import type { WorkspaceChange } from "../change.ts";
import type { Trees } from "../comparison.ts";
import type { ChangeRecords } from "../journal.ts";
import { readText } from "../text.ts";
import { readBeginningOf, type BaseText } from "./beginning-record.ts";
import type { Merge } from "./marked-text.ts";
import { mergeTexts } from "./three-way.ts";

export interface MergedChange extends Merge {
  /** Permission bits. */
  mode: number;
}

export interface MergerOptions {
  workspace: string;
  begunAtNs: bigint;
  records: ChangeRecords;
  trees: Trees;
  signal: AbortSignal;
}

/**
 * Merges a file that both sides changed; `applied` is the digest of what they last had in common, if it was ever applied. Undefined
 * when it is no text, what both began from is not known, or git is missing.
 */
export type Merger = (
  change: WorkspaceChange,
  applied: string | undefined,
) => Promise<MergedChange | undefined>;

export function createMerger(options: MergerOptions): Merger {
  const { records, trees, signal } = options;
  return async ({ path, before, after }, applied) => {
    if (before?.kind !== "file" || after?.kind !== "file" || isGitsOwn(path)) return undefined;
    const host = readText(trees.host, path);
    const sandbox = readText(trees.upper, path);
    if (host === undefined || sandbox === undefined) return undefined;
    const base =
      applied === undefined
        ? await readBeginningOf(path, options)
        : readApplied(applied, options.records);
    if (base === undefined) return undefined;
    const mode = mergeModes(base.mode, before.mode & 0o777, after.mode & 0o777);
    if (mode === undefined) return undefined;
    const sides = { base: base.text, host, sandbox };
    const merge = await mergeTexts(sides, { directory: records.directory, signal });
    return merge && { ...merge, mode };
  };
}

/** What git keeps for itself means something only as a whole. */
function isGitsOwn(path: string): boolean {
  return path.split("/").some((component) => component.toLowerCase() === ".git");
}

function readApplied(digest: string, { texts }: ChangeRecords): BaseText | undefined {
  const [, mode = "", hash = ""] = /^file ([0-7]+) ([0-9a-f]{64})$/.exec(digest) ?? [];
  const text = hash === "" ? undefined : texts.getText(hash);
  return text === undefined ? undefined : { mode: Number.parseInt(mode, 8), text };
}

/** Undefined when both changed them, each to something else. */
function mergeModes(base: number, host: number, sandbox: number): number | undefined {
  if (sandbox === base || sandbox === host) return host;
  return host === base ? sandbox : undefined;
}
