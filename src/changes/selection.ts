import type { Hold } from "../airlock/change.ts";
import { CattlegridError } from "../errors/error.ts";
import type { JudgedChange } from "./judged-change.ts";

export interface Wish {
  /** Files, and directories with all below; empty means everything. */
  paths: readonly string[];
  /** Held changes that a person let through, each by its own name. */
  approve: readonly string[];
  /** Changes that may replace what the host did meanwhile, each by its own name. */
  overwrite: readonly string[];
  /** Changes that are not to come, now or later: the host's version stays. Each by its own name. */
  keep: readonly string[];
  /** Conflicts between texts that are to come with both versions between marks, each by its own name. */
  mark: readonly string[];
}

export interface Selection {
  chosen: readonly JudgedChange[];
  /** Wished for, but kept back until they are approved. */
  held: readonly JudgedChange[];
}

/** Nobody can let these through: there is nothing to apply. */
const FINAL: ReadonlySet<Hold["class"]> = new Set(["device", "unreadable"]);

/** The changes at or below the wished paths, with the new directories they lie in. Throws CHANGE_NOT_FOUND. */
export function findWished(changes: readonly JudgedChange[], wish: Wish): readonly JudgedChange[] {
  const known = new Set(changes.map(({ path }) => path));
  for (const path of [...wish.approve, ...wish.overwrite, ...wish.keep, ...wish.mark]) {
    if (!known.has(path)) throw notFound(path);
  }
  const named = [...wish.paths, ...(wish.paths.length > 0 ? [...wish.approve, ...wish.keep] : [])];
  for (const path of wish.paths) {
    if (!changes.some((change) => isAtOrBelow(change.path, path))) throw notFound(path);
  }
  if (named.length === 0) return changes;
  const wished = changes.filter(({ path }) => named.some((wanted) => isAtOrBelow(path, wanted)));
  const parents = new Set(wished.flatMap(({ path, after }) => (after ? parentsOf(path) : [])));
  const chosen = new Set(wished);
  return changes.filter((change) => parents.has(change.path) || chosen.has(change));
}

export interface Resolved {
  wished: readonly JudgedChange[];
  /** What the host keeps its own version of. */
  kept: readonly JudgedChange[];
}

/** Settles conflicts as the wish says. Throws CHANGES_CONFLICT, naming all that are left. */
export function resolveConflicts(changes: readonly JudgedChange[], wish: Wish): Resolved {
  const [overwrite, keep, mark] = [wish.overwrite, wish.keep, wish.mark].map(
    (paths) => new Set(paths),
  );
  const isKept = ({ path }: JudgedChange): boolean => keep?.has(path) === true;
  const wished = changes
    .filter((change) => !isKept(change))
    .map((change) => {
      const { merged: _unwanted, ...own } = change;
      if (overwrite?.has(change.path)) return own;
      return mark?.has(change.path)
        ? { ...own, merged: change.marked ?? refuseMarks(own) }
        : change;
    });
  refuseConflicts(wished, overwrite ?? new Set());
  return { wished, kept: changes.filter(isKept) };
}

function refuseMarks({ path }: JudgedChange): never {
  throw new CattlegridError(
    "CHANGE_NOT_FOUND",
    `${JSON.stringify(path)} is no conflict between two texts of which it is known what both began from.`,
  );
}

function refuseConflicts(wished: readonly JudgedChange[], replaced: ReadonlySet<string>): void {
  const conflicts = wished.filter(
    ({ path, conflict, merged }) =>
      conflict !== undefined && merged === undefined && !replaced.has(path),
  );
  if (conflicts.length === 0) return;
  const lines = conflicts.map(({ path, conflict }) => `${path}: ${conflict}`);
  throw new CattlegridError(
    "CHANGES_CONFLICT",
    `Nothing was applied: the host has changes of its own.\n${lines.join("\n")}`,
    { details: { conflicts: conflicts.map(({ path, conflict }) => ({ path, reason: conflict })) } },
  );
}

/** Parts what may be applied from what is held, and holds what depends on something held. */
export function select(wished: readonly JudgedChange[], { approve }: Wish): Selection {
  const approved = new Set(approve);
  const held = new Map<string, JudgedChange>();
  for (const change of wished) {
    const isFinal = change.holds.some((hold) => FINAL.has(hold.class));
    if (change.holds.length > 0 && (isFinal || !approved.has(change.path))) {
      held.set(change.path, change);
    }
  }
  holdDependents(wished, held);
  return {
    chosen: wished.filter(({ path }) => !held.has(path)),
    held: [...held.values()].filter(({ holds }) => holds.length > 0),
  };
}

/** A file cannot come into a directory that is held; a directory cannot go while something in it is. */
function holdDependents(wished: readonly JudgedChange[], held: Map<string, JudgedChange>): void {
  const kept = new Set([...held.keys()].flatMap(parentsOf));
  for (const change of wished) {
    if (held.has(change.path)) continue;
    const reason = whyDependent(change, held, kept);
    if (reason === undefined) continue;
    // A directory that only stays is nothing to approve; what is replaced or has no place is shown.
    const holds: readonly Hold[] = change.after === undefined ? [] : [{ class: "place", reason }];
    held.set(change.path, { ...change, holds });
  }
}

function whyDependent(
  { path, before, after }: JudgedChange,
  held: ReadonlyMap<string, JudgedChange>,
  kept: ReadonlySet<string>,
): string | undefined {
  if (before?.kind === "directory" && after?.kind !== "directory" && kept.has(path)) {
    return "something in it is held";
  }
  if (after === undefined) return undefined;
  const isBarred = parentsOf(path).some((parent) => held.get(parent)?.after?.kind === "directory");
  return isBarred ? "the directory it lies in is held" : undefined;
}

export function isAtOrBelow(path: string, directory: string): boolean {
  return directory === "" || path === directory || path.startsWith(`${directory}/`);
}

function parentsOf(path: string): readonly string[] {
  const components = path.split("/").slice(0, -1);
  return components.map((_, index) => components.slice(0, index + 1).join("/"));
}

function notFound(path: string): CattlegridError {
  return new CattlegridError("CHANGE_NOT_FOUND", `Nothing has changed at ${JSON.stringify(path)}.`);
}
