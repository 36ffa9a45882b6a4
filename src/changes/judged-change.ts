import type { Change, EntryState, Hold } from "../airlock/change.ts";
import { inspectChanges } from "../airlock/inspect.ts";
import { isManifest } from "../airlock/manifest.ts";
import type { Baseline } from "./baseline.ts";
import { digest, type WorkspaceChange } from "./change.ts";
import type { Trees } from "./comparison.ts";
import { judgeStanding } from "./conflict.ts";
import type { Merger } from "./merging/merger.ts";
import type { Clash } from "./merging/marked-text.ts";
import type { Pace } from "../platform/pace.ts";
import { readText, toText } from "./text.ts";
import type { Tree, TreeEntry } from "./tree.ts";

/** A change as it stands: between both sides, and before the airlock. */
export interface JudgedChange extends WorkspaceChange {
  /** What is on both sides, as one text: whoever saw this change saw exactly that. */
  fingerprint: string;
  hostDigest: string;
  sandboxDigest: string;
  holds: readonly Hold[];
  /** Why applying it would overwrite what the host did meanwhile. */
  conflict?: string;
  /** Of a conflict between texts that began from the same one: where the two do not fit together. */
  clashes?: readonly Clash[];
  /** The same as a text that holds both versions of each clash, between marks. */
  marked?: Merged;
  /** What is applied in place of what the sandbox has: the changes of both sides, which so are in conflict no longer. */
  merged?: Merged;
}

export interface Merged {
  text: string;
  /** Permission bits. */
  mode: number;
}

export interface JudgingOptions {
  begunAtNs: bigint;
  baseline: Baseline;
  pace: Pace;
  merge: Merger;
}

/** Leaves out what has not changed since it was applied, and what the host has made as well. */
export async function findStandings(
  changes: readonly WorkspaceChange[],
  { upper, host }: Trees,
  { begunAtNs, baseline, pace, merge }: JudgingOptions,
): Promise<JudgedChange[]> {
  const judged: JudgedChange[] = [];
  for (const change of changes) {
    await pace.next();
    const { path, unreadable } = change;
    const sandboxDigest =
      unreadable === undefined ? digest({ tree: upper, path }, change.after) : "unreadable";
    const hostDigest = digest({ tree: host, path }, change.before);
    const applied = baseline.get(path);
    const standing = judgeStanding(change, {
      begunAtNs,
      host: hostDigest,
      sandbox: sandboxDigest,
      ...(applied === undefined ? {} : { applied }),
    });
    if (standing.kind === "none") continue;
    const fingerprint = `${hostDigest} > ${sandboxDigest}`;
    const own = { ...change, fingerprint, hostDigest, sandboxDigest, holds: [] };
    if (standing.kind === "clean") judged.push(own);
    else {
      const conflicting = { ...own, conflict: standing.reason };
      const resolved = await resolve(conflicting, { host, applied, merge });
      if (resolved !== undefined) judged.push(resolved);
    }
  }
  return judged;
}

/** The conflict merged, or with what is known of it; undefined when the host has all that the sandbox made. */
async function resolve(
  change: JudgedChange & { conflict: string },
  { host, applied, merge }: { host: Tree; applied: string | undefined; merge: Merger },
): Promise<JudgedChange | undefined> {
  const outcome = await merge(change, applied);
  if (outcome === undefined) return change;
  const { clashes, text, mode } = outcome;
  if (clashes.length > 0) return { ...change, clashes, marked: { text, mode } };
  const isThere = mode === ((change.before?.mode ?? 0) & 0o777);
  if (isThere && text === readText(host, change.path)) return undefined;
  return { ...change, merged: { text, mode } };
}

/** Sends the changes through the airlock. `after` is the tree in which what is new is read. */
export async function passAirlock(
  changes: readonly JudgedChange[],
  { host, after }: { host: Tree; after(change: JudgedChange): Buffer | undefined },
  signal: AbortSignal,
): Promise<JudgedChange[]> {
  const textAfter = (index: number): string | undefined => {
    const change = changes[index];
    return change?.after?.kind === "file" ? toText(after(change)) : undefined;
  };
  const judged = changes.map((change, index) => describe(change, host, () => textAfter(index)));
  const indexes = new Map(judged.map((change, index) => [change, index]));
  const entries = await inspectChanges(judged, {
    surroundings: { namesIn: (directory) => host.list(directory).names },
    readText(change) {
      const text = textAfter(indexes.get(change) ?? -1);
      const isNew = text !== undefined && text !== readText(host, change.path);
      return isNew ? text : undefined;
    },
    signal,
  });
  return changes.map((change, index) => ({
    ...change,
    holds: [...cannotComeOut(change), ...losesOwner(change), ...(entries[index]?.holds ?? [])],
  }));
}

function cannotComeOut({ unreadable }: JudgedChange): readonly Hold[] {
  return unreadable === undefined ? [] : [{ class: "unreadable", reason: unreadable }];
}

/** In a directory of one's own, anybody's file can be exchanged or deleted; only root can give the new one to whom the old one belonged. */
function losesOwner({ before }: JudgedChange): readonly Hold[] {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0 || before === undefined || before.kind === "directory" || before.uid === uid) {
    return [];
  }
  return [{ class: "owner", reason: `belongs to another user (${before.uid})` }];
}

function describe(
  { path, before, after }: JudgedChange,
  host: Tree,
  textAfter: () => string | undefined,
): Change {
  const reads = isManifest(path);
  return {
    path,
    ...(before === undefined
      ? {}
      : { before: state(before, reads ? readText(host, path) : undefined) }),
    ...(after === undefined ? {} : { after: state(after, reads ? textAfter() : undefined) }),
  };
}

function state({ kind, mode, target }: TreeEntry, text: string | undefined): EntryState {
  return {
    kind,
    mode,
    ...(target === undefined ? {} : { target }),
    ...(text === undefined ? {} : { text }),
  };
}
