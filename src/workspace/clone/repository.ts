import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import { askGit, runGit, shutFilters } from "../../platform/git.ts";
import { createDirectoryReader } from "../directory-reader.ts";

/** What a private clone is made of. */
export interface Repository {
  /** The top of the working tree, real. */
  workspace: string;
  objects: string;
  objectFormat: string;
  /** The commit that is checked out. */
  head: string;
  /** Local branches and tags: full name and object. */
  refs: readonly { name: string; object: string }[];
  /** Commits below which the repository has none, when it is shallow. */
  shallow: readonly string[];
}

/** What the user has and the clone does not: nothing of it is lost, and none of it is readable inside. */
export interface LeftBehind {
  changed: number;
  untracked: number;
  submodules: number;
}

const OBJECT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** Throws WORKSPACE_NOT_CLONABLE, saying why, for anything but the top of a working tree with a commit. */
export async function inspectRepository(workspace: string): Promise<Repository> {
  const ask = (...args: readonly string[]): Promise<string> =>
    askGit({ repository: workspace, args });
  await checkTop(workspace);
  const head = await runGit({
    repository: workspace,
    args: ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"],
  });
  if (head.code !== 0) throw notClonable(workspace, "has no commit yet");
  const where = (...args: readonly string[]): Promise<string> =>
    ask("rev-parse", "--path-format=absolute", ...args);
  const gitDirectory = await where("--git-common-dir");
  return {
    workspace,
    objects: await where("--git-path", "objects"),
    objectFormat: await ask("rev-parse", "--show-object-format"),
    head: head.stdout.trim(),
    refs: parseRefs(
      await ask("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"),
    ),
    shallow: await readShallow(gitDirectory),
  };
}

async function checkTop(workspace: string): Promise<void> {
  const args = ["rev-parse", "--is-bare-repository", "--is-inside-work-tree"];
  const { code, stdout } = await runGit({ repository: workspace, args });
  if (code !== 0) throw notClonable(workspace, "is not a git repository");
  const [isBare, isInside] = stdout.split("\n");
  if (isBare === "true") throw notClonable(workspace, "is a bare repository, without files");
  if (isInside !== "true") throw notClonable(workspace, "is a git directory, not a working tree");
  const top = await realpath(
    await askGit({ repository: workspace, args: ["rev-parse", "--show-toplevel"] }),
  );
  if (top === workspace) return;
  throw new CattlegridError(
    "WORKSPACE_NOT_CLONABLE",
    `${workspace} lies in the repository ${top}, and only a whole one can be cloned.`,
    { hint: `Name ${top} as the workspace.` },
  );
}

function notClonable(workspace: string, why: string): CattlegridError {
  return new CattlegridError("WORKSPACE_NOT_CLONABLE", `${workspace} ${why}.`);
}

function parseRefs(text: string): Repository["refs"] {
  return text.split("\n").flatMap((line) => {
    const [object = "", name = ""] = line.split(" ");
    return OBJECT.test(object) && name !== "" ? [{ name, object }] : [];
  });
}

async function readShallow(gitDirectory: string): Promise<readonly string[]> {
  const text = await createDirectoryReader().readText(join(gitDirectory, "shallow"));
  return text.split("\n").filter((line) => OBJECT.test(line));
}

/** What of the working tree a clone does not have. */
export async function findLeftBehind({ workspace }: Repository): Promise<LeftBehind> {
  const status = await askGit({
    repository: workspace,
    workingTree: workspace,
    args: ["status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all"],
    configuration: await shutFilters(workspace),
  });
  const entries = status.split("\0").filter((entry) => entry !== "");
  const untracked = entries.filter((entry) => entry.startsWith("??")).length;
  const args = ["ls-tree", "-r", "-z", "--format=%(objecttype)", "HEAD"];
  const kinds = (await askGit({ repository: workspace, args })).split("\0");
  return {
    changed: entries.length - untracked,
    untracked,
    submodules: kinds.filter((kind) => kind === "commit").length,
  };
}
