import type { Hold } from "../airlock/change.ts";
import { kindOf } from "./change.ts";
import { withTrees, type ChangeSource } from "./change-source.ts";
import { settle } from "./settling.ts";
import { readBaseline } from "./baseline.ts";
import { compareTrees, type Trees } from "./comparison.ts";
import { findStandings, passAirlock, type JudgedChange } from "./judged-change.ts";
import { createMerger } from "./merging/merger.ts";
import type { Clash } from "./merging/marked-text.ts";
import { createPace } from "../platform/pace.ts";
import { isAtOrBelow } from "./selection.ts";
import { countLines, findHunks, type Hunk } from "./text-diff.ts";
import { readText, TEXT_BYTES_MAX } from "./text.ts";
import type { TreeEntry } from "./tree.ts";

/** Texts of more than this in all are left out of one answer. */
const HUNK_CHARACTERS_MAX = 32 * 1024 * 1024;

export interface ShownState {
  kind: TreeEntry["kind"];
  /** Permission bits. */
  mode: number;
  size: number;
  target?: string;
}

/** A change as a person sees it. */
export interface ShownChange {
  path: string;
  kind: "added" | "modified" | "deleted";
  before?: ShownState;
  after?: ShownState;
  holds: readonly Hold[];
  conflict?: string;
  /** Of a conflict between texts, when hunks are asked for: what does not fit together; everything else does. */
  clashes?: readonly Clash[];
  /** Both sides changed the text, and what is shown and applied holds the changes of both. */
  merged?: true;
  fingerprint: string;
  /** Of texts. */
  lines?: { added: number; removed: number };
  /** Asked for, and of texts. */
  hunks?: readonly Hunk[];
}

export interface ReadingOptions {
  hunks: boolean;
  /** Files, and directories with all below; empty means everything. */
  paths: readonly string[];
}

/** What applying everything would do now. Throws what `settle` throws. */
export async function readChanges(
  source: ChangeSource,
  options: ReadingOptions,
  signal: AbortSignal,
): Promise<{ changes: readonly ShownChange[]; isCut: boolean }> {
  await settle(source, { signal });
  return withTrees(source, async (trees) => {
    const pace = createPace(signal);
    const baseline = readBaseline(source.records.baselineFile, source.onCorrupt);
    const standings = await findStandings(await compareTrees(trees, pace), trees, {
      begunAtNs: source.begunAtNs,
      baseline,
      pace,
      merge: createMerger({ ...source, trees, signal }),
    });
    const { paths } = options;
    const asked = standings.filter(
      ({ path }) => paths.length === 0 || paths.some((wanted) => isAtOrBelow(path, wanted)),
    );
    const after = ({ path, merged }: JudgedChange): Buffer | undefined =>
      merged === undefined ? trees.upper.read(path, TEXT_BYTES_MAX) : Buffer.from(merged.text);
    const judged = await passAirlock(asked, { host: trees.host, after }, signal);
    let room = HUNK_CHARACTERS_MAX;
    const changes: ShownChange[] = [];
    for (const change of judged) {
      await pace.next();
      const shown = show(change, trees, options.hunks && room > 0);
      for (const { lines } of shown.hunks ?? []) for (const line of lines) room -= line.length;
      changes.push(shown);
    }
    return { changes, isCut: options.hunks && room <= 0 };
  });
}

/** How many changes there are that have not been applied; quicker than reading them. */
export async function countChanges(source: ChangeSource, signal: AbortSignal): Promise<number> {
  await settle(source, { signal });
  return withTrees(source, async (trees) => {
    const pace = createPace(signal);
    const baseline = readBaseline(source.records.baselineFile, source.onCorrupt);
    const merge = createMerger({ ...source, trees, signal });
    const parts = { begunAtNs: source.begunAtNs, baseline, pace, merge };
    return (await findStandings(await compareTrees(trees, pace), trees, parts)).length;
  });
}

function show(change: JudgedChange, trees: Trees, wantsHunks: boolean): ShownChange {
  const { path, before, after, holds, conflict, clashes, merged, fingerprint } = change;
  const mode = merged === undefined ? {} : { mode: merged.mode };
  const hunks = hunksOf(change, trees);
  return {
    path,
    kind: kindOf(change),
    ...(before === undefined ? {} : { before: stateOf(before) }),
    ...(after === undefined ? {} : { after: { ...stateOf(after), ...mode } }),
    holds,
    ...(conflict === undefined || merged !== undefined ? {} : { conflict }),
    ...(clashes === undefined || !wantsHunks ? {} : { clashes }),
    ...(merged === undefined ? {} : { merged: true }),
    fingerprint,
    ...(hunks === undefined ? {} : { lines: countLines(hunks) }),
    ...(hunks === undefined || !wantsHunks ? {} : { hunks }),
  };
}

function hunksOf(change: JudgedChange, trees: Trees): readonly Hunk[] | undefined {
  const { path, before, after, merged } = change;
  const isText = [before, after].every((entry) => entry === undefined || entry.kind === "file");
  if (!isText) return undefined;
  const old = before === undefined ? "" : readText(trees.host, path);
  const made = after === undefined ? "" : (merged?.text ?? readText(trees.upper, path));
  return old === undefined || made === undefined ? undefined : findHunks(old, made);
}

function stateOf({ kind, mode, size, target }: TreeEntry): ShownState {
  return { kind, mode, size, ...(target === undefined ? {} : { target }) };
}
