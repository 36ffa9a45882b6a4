import type { Change, Hold, Steps, Surroundings } from "./change.ts";
import { foldName } from "./name.ts";

/** In a git directory, what is data alone. SECURITY: whatever else lies there is held, known to us or not. */
const DATA_NAMES = new Set([
  "head",
  "orig_head",
  "fetch_head",
  "merge_head",
  "merge_msg",
  "merge_mode",
  "auto_merge",
  "squash_msg",
  "cherry_pick_head",
  "revert_head",
  "commit_editmsg",
  "index",
  "packed-refs",
  "description",
]);
const DATA_TREES = new Set(["objects", "refs", "logs"]);
const OBEYED = new Set([
  "hooks",
  "config",
  "config.worktree",
  "commondir",
  "gitdir",
  "info",
  "alternates",
  "http-alternates",
]);

const KNOWN_REASONS: Readonly<Record<string, string>> = {
  hooks: "git runs it",
  config: "names programs that git runs",
  "config.worktree": "names programs that git runs",
  commondir: "says where git finds its configuration",
  gitdir: "says where git finds a working tree",
  "rebase-merge": "may hold commands that git runs when a rebase goes on",
  "rebase-apply": "is a state that git continues from",
  alternates: "says where else git reads objects",
};

/** Tells which directories are git's, under whatever name. */
export interface GitDirectories {
  /** How many components of the path lead to the innermost git directory, or undefined when none does. */
  depthOf(components: readonly string[]): number | undefined;
}

/** A directory is git's when it is called `.git`, or holds `HEAD`, `objects` and `refs` when all changes are made. */
export function* findGitDirectories(
  changes: readonly Change[],
  surroundings: Surroundings,
): Steps<GitDirectories> {
  const added = new Map<string, Set<string>>();
  for (const { path, after } of changes) {
    yield;
    if (after !== undefined) addNames(added, path.split("/"));
  }
  const known = new Map<string, boolean>();
  const isBare = (directory: string): boolean => {
    const found = known.get(directory);
    if (found !== undefined) return found;
    const existing = (surroundings.namesIn?.(directory) ?? []).map(foldName);
    const names = new Set([...existing, ...(added.get(directory) ?? [])]);
    // SECURITY: git wants all three; two are enough for us, as the third may come with a later change.
    const isGit = names.has("head") && (names.has("objects") || names.has("refs"));
    known.set(directory, isGit);
    return isGit;
  };
  return {
    depthOf(components) {
      for (let depth = components.length - 1; depth >= 0; depth -= 1) {
        if (depth > 0 && foldName(components[depth - 1] ?? "") === ".git") return depth;
        if (isBare(components.slice(0, depth).join("/"))) return depth;
      }
      return undefined;
    },
  };
}

/** Why a change within a git directory, or of one itself, is held back. */
export function findGitHolds(
  components: readonly string[],
  { after }: Change,
  directories: GitDirectories,
): readonly Hold[] {
  const hold = (reason: string): Hold[] => [{ class: "git", reason }];
  const last = foldName(components.at(-1) ?? "");
  if (last === ".git" && after?.kind !== "directory") {
    return hold("says where git finds its directory");
  }
  const depth = directories.depthOf(components);
  if (depth === undefined) return [];
  const inside = components.slice(depth).map(foldName);
  if (after?.kind === "directory") return [];
  if (after?.kind === "link") return hold("is a link in a git directory");
  if (isData(inside)) return [];
  const known = inside.map((name) => KNOWN_REASONS[name]).find((reason) => reason !== undefined);
  return hold(known ?? "is part of a git directory, and not known to be only data");
}

function isData(inside: readonly string[]): boolean {
  const [first = "", second] = inside;
  if (first === "modules" || first === "worktrees") return isNestedData(inside.slice(2));
  if (first === "objects" && second === "info") return isObjectCache(inside.slice(2));
  if (first === "info") return inside.length === 2 && ["exclude", "refs"].includes(second ?? "");
  if (DATA_TREES.has(first)) return inside.length > 1;
  return inside.length === 1 && DATA_NAMES.has(first);
}

function isObjectCache([first]: readonly string[]): boolean {
  return ["packs", "commit-graph", "commit-graphs"].includes(first ?? "");
}

/** Names of submodules may hold slashes, so what follows them is sought from every component on. */
function isNestedData(inside: readonly string[]): boolean {
  if (inside.some((name) => OBEYED.has(name))) return false;
  return inside.some((_, start) => isData(inside.slice(start)));
}

function addNames(added: Map<string, Set<string>>, components: readonly string[]): void {
  for (const [depth, name] of components.entries()) {
    const directory = components.slice(0, depth).join("/");
    const names = added.get(directory) ?? new Set();
    names.add(foldName(name));
    added.set(directory, names);
  }
}
