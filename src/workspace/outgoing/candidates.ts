import { lstatSync } from "node:fs";
import { join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { Tree } from "../../changes/tree.ts";
import { isGitsOwn } from "../../changes/copied/inventory.ts";
import { readGit, runGit } from "../../platform/git.ts";
import type { Pace } from "../../platform/pace.ts";

/** What of a workspace could be sent, before each file is looked at. */
export interface Candidates {
  /** `repository`: what git tracks, and what was chosen. `folder`: everything, as there is no git to ask. */
  kind: "repository" | "folder";
  paths: readonly string[];
  /** Files that git neither tracks nor ignores, and that nobody chose. */
  untracked: number;
  /** Names that are not UTF-8, as they look. */
  undecodable: readonly string[];
}

export interface CandidatesRequest {
  workspace: string;
  /** Patterns of files to send though git does not track them, as git's own `:(glob)`. */
  include: readonly string[];
  signal: AbortSignal;
}

const PATHS_MAX = 400_000;
const SUBMODULE = "160000";
const DEPTH_MAX = 10;

/** Throws DEPENDENCY_MISSING without git where there is a repository, GIT_FAILED, WORKSPACE_TOO_LARGE. */
export async function findCandidates(
  request: CandidatesRequest,
  host: Tree,
  pace: Pace,
): Promise<Candidates> {
  const { workspace } = request;
  if (!(await isWorkingTree(workspace))) return walk(host, pace);
  const tracked = await listTracked(request, { directory: workspace, prefix: "", depth: 0 });
  const others = await listOthers(request, ["--exclude-standard"]);
  const chosen = await listChosen(request);
  const isChosen = new Set(chosen.paths);
  const known = new Set([...tracked.paths, ...chosen.paths]);
  return {
    kind: "repository",
    paths: [...known].filter((path) => !isGitsOwn(path)).toSorted(),
    untracked: others.paths.filter((path) => !isChosen.has(path)).length,
    undecodable: [...tracked.undecodable, ...chosen.undecodable],
  };
}

interface Names {
  paths: string[];
  undecodable: string[];
}

/** SECURITY: a repository that git cannot read is no reason to send what it ignores. */
async function isWorkingTree(workspace: string): Promise<boolean> {
  const args = ["rev-parse", "--is-inside-work-tree"];
  const hasGit = lstatSync(join(workspace, ".git"), { throwIfNoEntry: false }) !== undefined;
  try {
    const { code, stdout, stderr } = await runGit({ repository: workspace, args });
    if (code === 0 && stdout.trim() === "true") return true;
    if (!hasGit) return false;
    const why =
      code === 0 ? "that says it has no working tree here" : `that git refuses: ${stderr}`;
    throw new CattlegridError("GIT_FAILED", `${workspace} has a .git ${why}.`);
  } catch (error) {
    if (!hasGit && CattlegridError.is(error, "DEPENDENCY_MISSING")) return false;
    throw error;
  }
}

interface Place {
  directory: string;
  /** Before each name: where the directory lies in the workspace. */
  prefix: string;
  depth: number;
}

/**
 * The files that git tracks, those of submodules too. SECURITY: each submodule is asked by itself, through the same shut
 * configuration; git's own way to look into them reads theirs.
 */
async function listTracked(request: CandidatesRequest, place: Place): Promise<Names> {
  const { directory, prefix, depth } = place;
  const args = ["ls-files", "-z", "--cached", "--stage"];
  const { stdout } = await readGitNames(request, directory, args);
  const names: Names = { paths: [], undecodable: [] };
  const submodules: string[] = [];
  for (const entry of splitNames(stdout)) {
    const tab = entry.indexOf(0x09);
    const mode = entry.toString("latin1", 0, 6);
    const name = entry.subarray(tab + 1);
    refuseOutside(name.toString("utf8"));
    if (mode === SUBMODULE) submodules.push(name.toString("utf8"));
    else addName(names, prefix, name);
  }
  for (const name of submodules) {
    const inner = join(directory, name);
    if (depth >= DEPTH_MAX || !(await isSubmodule(inner))) continue;
    const found = await listTracked(request, {
      directory: inner,
      prefix: `${prefix}${name}/`,
      depth: depth + 1,
    });
    names.paths.push(...found.paths);
    names.undecodable.push(...found.undecodable);
  }
  return names;
}

/** Whether files of its own are checked out there; otherwise git would answer for the repository around it. */
async function isSubmodule(directory: string): Promise<boolean> {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  const git = lstatSync(join(directory, ".git"), { throwIfNoEntry: false });
  if (found?.isDirectory() !== true || git === undefined || git.isSymbolicLink()) return false;
  const { code, stdout } = await runGit({
    repository: directory,
    args: ["rev-parse", "--is-inside-work-tree"],
  });
  return code === 0 && stdout.trim() === "true";
}

async function listChosen(request: CandidatesRequest): Promise<Names> {
  if (request.include.length === 0) return { paths: [], undecodable: [] };
  return listOthers(request, ["--", ...request.include.map((pattern) => `:(glob)${pattern}`)]);
}

async function listOthers(request: CandidatesRequest, more: readonly string[]): Promise<Names> {
  const args = ["ls-files", "-z", "--others", ...more];
  const { stdout } = await readGitNames(request, request.workspace, args);
  const names: Names = { paths: [], undecodable: [] };
  for (const name of splitNames(stdout)) {
    // A repository within, of which git tells nothing more.
    if (name.at(-1) !== 0x2f) addName(names, "", name);
  }
  return names;
}

async function readGitNames(
  { workspace, signal }: CandidatesRequest,
  directory: string,
  args: readonly string[],
): Promise<{ stdout: Buffer }> {
  const { code, stdout, stderr } = await readGit({ repository: directory, args, signal });
  if (code === 0) return { stdout };
  const why = stderr.trim().slice(-500);
  throw new CattlegridError("GIT_FAILED", `git cannot list the files of ${workspace}: ${why}`);
}

function* splitNames(output: Buffer): Generator<Buffer> {
  for (let start = 0; start < output.length;) {
    const end = output.indexOf(0, start);
    if (end === -1) return;
    yield output.subarray(start, end);
    start = end + 1;
  }
}

/** SECURITY: git would write no such name into an index, but lists what another program wrote there. */
function refuseOutside(name: string): void {
  if (name.split("/").every((step) => step !== "" && step !== "." && step !== "..")) return;
  const message = `git's index names ${JSON.stringify(name)}, which lies outside of the repository.`;
  throw new CattlegridError("GIT_FAILED", message, {
    hint: "Remove .git/index and run `git reset`, once you know who wrote it.",
  });
}

function addName({ paths, undecodable }: Names, prefix: string, name: Buffer): void {
  const text = name.toString("utf8");
  const list = Buffer.from(text).equals(name) ? paths : undecodable;
  list.push(prefix + text);
}

/** Every file and link of a folder that is no repository. */
async function walk(host: Tree, pace: Pace): Promise<Candidates> {
  const paths: string[] = [];
  const undecodable: string[] = [];
  const look = async (directory: string): Promise<void> => {
    const listing = host.list(directory);
    const locate = (name: string): string => (directory === "" ? name : `${directory}/${name}`);
    undecodable.push(...listing.undecodable.map(locate));
    for (const path of listing.names.map(locate)) {
      await pace.next();
      if (isGitsOwn(path)) continue;
      if (host.look(path)?.kind === "directory") await look(path);
      else paths.push(path);
      if (paths.length > PATHS_MAX) throw tooManyFiles();
    }
  };
  await look("");
  return { kind: "folder", paths: paths.toSorted(), untracked: 0, undecodable };
}

function tooManyFiles(): CattlegridError {
  const message = `The workspace holds more than ${PATHS_MAX} files, and all of them would be sent.`;
  return new CattlegridError("WORKSPACE_TOO_LARGE", message);
}
