import { dirname, join, resolve } from "node:path";
import type { DirectoryEntry, DirectoryReader } from "./directory-reader.ts";
import { readGitReferences, readSubmodulePaths } from "./git-configuration.ts";
import protectedNames from "./protected-names.json" with { type: "json" };
import { isWithin } from "../platform/paths.ts";

/** A name that a program on the host runs or obeys. A leading `*` stands for one or more characters. */
interface ProtectedName {
  path: string;
  reason: string;
}

/**
 * SECURITY: what the agent may not change in a workspace it otherwise owns, because the host executes it later,
 * without asking, when a person merely opens the folder, enters it or uses git. What is executed only on
 * request (build files, package scripts, workflows) is for the review of changes, not for this table.
 * A data file, because it has to name programs and the core names none.
 */
export const PROTECTED_NAMES: readonly ProtectedName[] = protectedNames.workspace;
/** The same of a git directory, relative to it: `.git`, a submodule's or a bare repository. */
const PROTECTED_GIT_NAMES: readonly ProtectedName[] = protectedNames.gitDirectory;

export interface ProtectedPath {
  /** Absolute, in the workspace, without symbolic links. */
  path: string;
  reason: string;
}

const MODULE_DEPTH_MAX = 8;
const NESTED_MAX = 256;

interface Look {
  workspace: string;
  reader: DirectoryReader;
  found: Map<string, string>;
  /** Git directories already looked into: configurations may name each other. */
  seen: Set<string>;
}

/**
 * The protected paths that exist in a workspace, sorted, none within another. Also looks into submodules, into
 * repositories one directory down, and follows hook paths and includes of git configurations.
 */
export async function findProtectedPaths(
  workspace: string,
  reader: DirectoryReader,
): Promise<readonly ProtectedPath[]> {
  const look: Look = { workspace, reader, found: new Map(), seen: new Set() };
  await addNames(look, workspace, PROTECTED_NAMES);
  await addRepository(look, workspace);
  const children = await reader.list(workspace);
  const nested = children.filter(({ name, kind }) => kind === "directory" && !isSkipped(name));
  const adding = nested.slice(0, NESTED_MAX).map((child) => join(workspace, child.name));
  await Promise.all(adding.map((directory) => addRepository(look, directory)));
  return withoutNested(look.found);
}

/** Those of `after` that were not there `before`: what a session made that the host might execute. */
export function findCreated(
  before: readonly string[],
  after: readonly ProtectedPath[],
): readonly ProtectedPath[] {
  return after.filter(({ path }) => !before.some((known) => isWithin(path, known)));
}

function isSkipped(name: string): boolean {
  return name === ".git" || name === "node_modules";
}

/** A working tree with its `.git`, or a bare repository. */
async function addRepository(look: Look, directory: string): Promise<void> {
  const entries = await look.reader.list(directory);
  if (isGitDirectory(entries)) await addGitDirectory(look, directory, directory);
  const git = entries.find((entry) => entry.name === ".git");
  if (git === undefined) return;
  const path = await follow(look, join(directory, ".git"), git);
  if (path === undefined) return;
  if (git.kind === "file") add(look, path, "says where git finds its directory");
  else await addGitDirectory(look, path, directory);
  if (!entries.some((entry) => entry.name === ".gitmodules")) return;
  const text = await look.reader.readText(join(directory, ".gitmodules"));
  const submodules = readSubmodulePaths(text).map((name) => resolve(directory, name));
  const inside = submodules.filter((path) => path !== directory && isWithin(path, directory));
  await Promise.all(inside.map((submodule) => addRepository(look, submodule)));
}

function isGitDirectory(entries: readonly DirectoryEntry[]): boolean {
  return ["HEAD", "objects", "refs"].every((name) => entries.some((entry) => entry.name === name));
}

async function addGitDirectory(look: Look, git: string, workingTree: string): Promise<void> {
  if (look.seen.has(git)) return;
  look.seen.add(git);
  await addNames(look, git, PROTECTED_GIT_NAMES);
  await addReferences(look, join(git, "config"), workingTree);
  await addModules(look, join(git, "modules"), 0);
}

async function addReferences(look: Look, config: string, workingTree: string): Promise<void> {
  const { hooksPaths, includes } = readGitReferences(await look.reader.readText(config));
  for (const path of hooksPaths) {
    await addExisting(look, resolve(workingTree, path), "git runs the hooks in it");
  }
  for (const path of includes) {
    const file = resolve(dirname(config), path);
    if (look.seen.has(file)) continue;
    look.seen.add(file);
    await addExisting(look, file, "is part of the git configuration");
    if (isWithin(file, look.workspace)) await addReferences(look, file, workingTree);
  }
}

/** Names of submodules may hold slashes, so their git directories lie at any depth. */
async function addModules(look: Look, directory: string, depth: number): Promise<void> {
  if (depth > MODULE_DEPTH_MAX) return;
  const entries = await look.reader.list(directory);
  if (isGitDirectory(entries)) return addGitDirectory(look, directory, directory);
  const below = entries.filter((entry) => entry.kind === "directory");
  await Promise.all(below.map(({ name }) => addModules(look, join(directory, name), depth + 1)));
}

async function addNames(
  look: Look,
  directory: string,
  names: readonly ProtectedName[],
): Promise<void> {
  await Promise.all(
    names.map(async ({ path, reason }) => {
      for (const found of await match(look, directory, path.split("/"))) add(look, found, reason);
    }),
  );
}

async function match(
  look: Look,
  directory: string,
  components: readonly string[],
): Promise<string[]> {
  const [first, ...rest] = components;
  if (first === undefined) return [directory];
  const entries = await look.reader.list(directory);
  const named = entries.filter((entry) => matchesName(entry.name, first));
  const below = named.map(async (entry) => {
    const path = await follow(look, join(directory, entry.name), entry);
    return path === undefined ? [] : match(look, path, rest);
  });
  return (await Promise.all(below)).flat();
}

function matchesName(name: string, pattern: string): boolean {
  if (!pattern.startsWith("*")) return name === pattern;
  return name.length >= pattern.length && name.endsWith(pattern.slice(1));
}

async function addExisting(look: Look, path: string, reason: string): Promise<void> {
  const real = await look.reader.resolve(path);
  if (real !== undefined) add(look, real, reason);
}

/** SECURITY: a read-only bind holds a file, not a link to it, so what is protected is where the link leads. */
async function follow(
  look: Look,
  path: string,
  entry: DirectoryEntry,
): Promise<string | undefined> {
  return entry.kind === "link" ? look.reader.resolve(path) : path;
}

function add(look: Look, path: string, reason: string): void {
  if (path === look.workspace || !isWithin(path, look.workspace)) return;
  look.found.set(path, reason);
}

function withoutNested(found: ReadonlyMap<string, string>): ProtectedPath[] {
  const paths: ProtectedPath[] = [];
  for (const path of [...found.keys()].sort()) {
    if (paths.some((outer) => isWithin(path, outer.path))) continue;
    paths.push({ path, reason: found.get(path) ?? "" });
  }
  return paths;
}
