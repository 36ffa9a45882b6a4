import type { Change, Entry, EntryState, Hold, Steps, Surroundings } from "./change.ts";
import { findGitDirectories, findGitHolds, type GitDirectories } from "./git-path.ts";
import { findLinkHolds } from "./link.ts";
import { findManifestHolds } from "./manifest.ts";
import { createNameSearch, findDeception, foldName, type FindNameHolds } from "./name.ts";

const SET_ID = 0o6000;

/**
 * Which changes the host may take as they are, and which a person has to approve by name first, because something on the
 * host would execute, obey or be led astray by them. One entry for each change, in their order. Pure.
 */
export function classify(
  changes: readonly Change[],
  surroundings: Surroundings = {},
): readonly Entry[] {
  const steps = classifyStepwise(changes, surroundings);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** `classify` in small steps, between which a process with other work can do some of it; a hundred thousand take seconds. */
export function* classifyStepwise(
  changes: readonly Change[],
  surroundings: Surroundings = {},
): Steps<readonly Entry[]> {
  const git = yield* findGitDirectories(changes, surroundings);
  const collisions = yield* findCollisions(changes, surroundings);
  const search: Search = { git, findNames: createNameSearch() };
  const entries: Entry[] = [];
  for (const change of changes) {
    yield;
    const holds = [...findHolds(change, search), ...(collisions.get(change.path) ?? [])];
    entries.push({ path: change.path, verdict: holds.length === 0 ? "plain" : "held", holds });
  }
  return entries;
}

interface Search {
  git: GitDirectories;
  findNames: FindNameHolds;
}

function findHolds(change: Change, { git, findNames }: Search): readonly Hold[] {
  const components = change.path.split("/");
  const gitHolds = findGitHolds(components, change, git);
  const obeyed = gitHolds.length > 0 ? gitHolds : findObeyed(components, change, findNames);
  return [...findDeception(components), ...obeyed, ...findKindHolds(components, change.after)];
}

function findObeyed(
  components: readonly string[],
  change: Change,
  findNames: FindNameHolds,
): readonly Hold[] {
  if (isPlainDirectory(change)) return [];
  const names = findNames(components);
  if (names.length > 0) return names;
  return findManifestHolds(foldName(components.at(-1) ?? ""), change);
}

function findKindHolds(
  components: readonly string[],
  after: EntryState | undefined,
): readonly Hold[] {
  if (after?.kind === "link") return findLinkHolds(components, after.target ?? "/");
  if (after?.kind === "other") return [OTHER_KIND];
  return after?.kind === "file" && (after.mode & SET_ID) !== 0 ? [SET_ID_BIT] : [];
}

const OTHER_KIND: Hold = { class: "device", reason: "is a socket, a pipe or a device" };
const SET_ID_BIT: Hold = { class: "mode", reason: "would run as its owner, not as its caller" };

/** A directory alone executes nothing; what is in it is judged by itself. */
function isPlainDirectory({ before, after }: Change): boolean {
  return [before, after].every((state) => state === undefined || state.kind === "directory");
}

/** New names that differ from another of the same directory only in what some file systems ignore. */
function* findCollisions(
  changes: readonly Change[],
  surroundings: Surroundings,
): Steps<ReadonlyMap<string, readonly Hold[]>> {
  const spellings = new Map<string, Set<string>>();
  for (const path of listPaths(changes, surroundings)) {
    yield;
    const folded = foldPath(path);
    spellings.set(folded, (spellings.get(folded) ?? new Set()).add(path));
  }
  const found = new Map<string, readonly Hold[]>();
  for (const { path, before, after } of changes) {
    yield;
    if (before !== undefined || after === undefined) continue;
    if ((spellings.get(foldPath(path))?.size ?? 0) > 1) found.set(path, [COLLISION]);
  }
  return found;
}

/** What is there when all changes are made, in every directory that one of them touches; some of it more than once. */
function* listPaths(changes: readonly Change[], { namesIn }: Surroundings): Generator<string> {
  const gone = new Set<string>();
  const directories = new Set<string>();
  for (const { path, after } of changes) {
    if (after === undefined) gone.add(path);
    else {
      yield path;
      for (const prefix of prefixesOf(path)) directories.add(parentOf(prefix));
    }
  }
  yield* directories;
  for (const directory of directories) {
    const names = namesIn?.(directory) ?? [];
    const paths = names.map((name) => (directory === "" ? name : `${directory}/${name}`));
    yield* paths.filter((path) => !gone.has(path));
  }
}

const COLLISION: Hold = { class: "name", reason: "its name differs from another only in case" };

function foldPath(path: string): string {
  return path.split("/").map(foldName).join("/");
}

function prefixesOf(path: string): readonly string[] {
  const components = path.split("/");
  return components.map((_, index) => components.slice(0, index + 1).join("/"));
}

function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end === -1 ? "" : path.slice(0, end);
}
