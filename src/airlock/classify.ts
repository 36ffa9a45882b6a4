import type { Change, Entry, EntryState, Hold, Surroundings } from "./change.ts";
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
  const git = findGitDirectories(changes, surroundings);
  const collisions = findCollisions(changes, surroundings);
  const search: Search = { git, findNames: createNameSearch() };
  return changes.map((change) => {
    const holds = [...findHolds(change, search), ...(collisions.get(change.path) ?? [])];
    return { path: change.path, verdict: holds.length === 0 ? "plain" : "held", holds };
  });
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
function findCollisions(
  changes: readonly Change[],
  { namesIn }: Surroundings,
): ReadonlyMap<string, readonly Hold[]> {
  const present = changes.filter(({ after }) => after !== undefined);
  const gone = new Set(changes.flatMap(({ path, after }) => (after === undefined ? [path] : [])));
  const spellings = new Map<string, Set<string>>();
  const add = (path: string): void => {
    const folded = path.split("/").map(foldName).join("/");
    spellings.set(folded, (spellings.get(folded) ?? new Set()).add(path));
  };
  for (const { path } of present) for (const prefix of prefixesOf(path)) add(prefix);
  const directories = new Set(present.flatMap(({ path }) => prefixesOf(path).map(parentOf)));
  for (const directory of directories) {
    for (const name of namesIn?.(directory) ?? []) {
      const path = directory === "" ? name : `${directory}/${name}`;
      if (!gone.has(path)) add(path);
    }
  }
  const collides = (path: string): boolean =>
    (spellings.get(path.split("/").map(foldName).join("/"))?.size ?? 0) > 1;
  const hold: Hold = { class: "name", reason: "its name differs from another only in case" };
  const found = present.filter(({ path, before }) => before === undefined && collides(path));
  return new Map(found.map(({ path }) => [path, [hold]]));
}

function prefixesOf(path: string): readonly string[] {
  const components = path.split("/");
  return components.map((_, index) => components.slice(0, index + 1).join("/"));
}

function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end === -1 ? "" : path.slice(0, end);
}
