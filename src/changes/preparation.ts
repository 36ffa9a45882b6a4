import { closeSync } from "node:fs";
import { CattlegridError } from "../errors/error.ts";
import { digest } from "./change.ts";
import type { Trees } from "./comparison.ts";
import type { JudgedChange } from "./judged-change.ts";
import type { Pace } from "../platform/pace.ts";
import type { PreparedChange } from "./plan.ts";
import type { Owner, Staging } from "./staging.ts";
import { readText } from "./text.ts";
import { Tree } from "./tree.ts";
import { applyHunks, findHunks } from "./text-diff.ts";

/** Hunks that a person picked from a change they saw; numbers from 0. */
export interface HunkChoice {
  path: string;
  fingerprint: string;
  hunks: readonly number[];
}

export interface PreparationContext {
  trees: Trees;
  staging: Staging;
  /** As root: whose the workspace is. */
  owner: Owner | undefined;
  pace: Pace;
}

/** A change with its new content beyond the agent's reach. */
export interface Prepared extends PreparedChange {
  /** What both sides have in common once this is applied; undefined: what they had. */
  result: string | undefined;
}

/**
 * Copies what is to be applied into the staging directory. SECURITY: from here on the agent cannot change it, so what the airlock
 * judges is what the host gets. Throws CHANGE_STALE for hunks of a change that is not what it was when they were picked.
 */
export async function prepare(
  changes: readonly JudgedChange[],
  choices: readonly HunkChoice[],
  context: PreparationContext,
): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  const staged = new Tree(context.staging.path);
  try {
    for (const [index, change] of changes.entries()) {
      await context.pace.next();
      const name = `new-${index}`;
      const choice = choices.find(({ path }) => path === change.path);
      const isStaged = await stage(change, { name, choice }, context);
      const entry = isStaged ? context.staging.look(name) : undefined;
      const made = digest(
        { tree: staged, path: name },
        isStaged ? entry : change.after,
        change.path,
      );
      // The bits that never come out are still what the airlock judges.
      const isAsMade = choice === undefined && change.merged === undefined;
      const mode = isAsMade ? change.after?.mode : undefined;
      const after = entry && { ...entry, ...(mode === undefined ? {} : { mode }) };
      prepared.push({
        change: { ...change, ...(after === undefined ? {} : { after }) },
        result: change.merged === undefined ? made : commonAfterMerge(change, choice),
        ...(entry === undefined
          ? {}
          : { item: { name, identity: entry.identity, stamp: entry.stamp } }),
      });
    }
  } finally {
    staged.close();
  }
  return prepared;
}

/** The sandbox's version is what later changes inside begin from, once all of it has come out. */
function commonAfterMerge(
  { sandboxDigest }: JudgedChange,
  choice: HunkChoice | undefined,
): string | undefined {
  return choice === undefined ? sandboxDigest : undefined;
}

async function stage(
  change: JudgedChange,
  { name, choice }: { name: string; choice: HunkChoice | undefined },
  context: PreparationContext,
): Promise<boolean> {
  const { path, before, after, unreadable } = change;
  const { staging, pace, trees } = context;
  if (choice !== undefined) {
    const content = pickHunks(change, choice, trees);
    const mode = (before ?? after)?.mode ?? 0o644;
    staging.writeFile(name, content, { mode, owner: ownerOf(change, context) });
    return true;
  }
  if (change.merged !== undefined) {
    const { text, mode } = change.merged;
    staging.writeFile(name, Buffer.from(text), { mode, owner: ownerOf(change, context) });
    return true;
  }
  if (after === undefined || unreadable !== undefined) return false;
  if (after.kind === "link") {
    staging.makeLink(name, after.target ?? "", ownerOf(change, context));
    return true;
  }
  if (after.kind !== "file") return false;
  const fd = trees.upper.open(path);
  if (fd === undefined) throw stale(path);
  try {
    const { mode } = after;
    await staging.copyFile(name, fd, { mode, owner: ownerOf(change, context), pace });
    return true;
  } finally {
    closeSync(fd);
  }
}

function pickHunks(change: JudgedChange, choice: HunkChoice, { upper, host }: Trees): Buffer {
  const { path, fingerprint, before, after, merged } = change;
  if (fingerprint !== choice.fingerprint) throw stale(path);
  const old = before === undefined ? "" : readText(host, path);
  const made = after?.kind === "file" ? (merged?.text ?? readText(upper, path)) : undefined;
  const hunks = old === undefined || made === undefined ? undefined : findHunks(old, made);
  if (hunks === undefined || choice.hunks.some((number) => number >= hunks.length)) {
    throw new CattlegridError("CHANGE_NOT_FOUND", `${path} has no such hunk.`);
  }
  return Buffer.from(applyHunks(old ?? "", hunks, new Set(choice.hunks)));
}

/** What was there keeps its owner; what is new belongs to whoever owns the workspace. */
function ownerOf({ before }: JudgedChange, { owner }: PreparationContext): Owner | undefined {
  if (owner === undefined) return undefined;
  return before === undefined || before.kind === "directory" ? owner : before;
}

function stale(path: string): CattlegridError {
  return new CattlegridError("CHANGE_STALE", `${path} has changed since it was shown.`);
}
