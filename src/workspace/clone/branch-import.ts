import { chmod, copyFile, lchown, mkdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Entry } from "../../airlock/change.ts";
import { inspectChanges } from "../../airlock/inspect.ts";
import { CattlegridError } from "../../errors/error.ts";
import { askGit, runGit, type GitRequest } from "../../platform/git.ts";
import { readCommitChanges, type CommitChange } from "./commit-changes.ts";
import type { Repository } from "./repository.ts";

/** Work that came out of a sandbox, beside the user's repository and not in it. */
export interface StagedWork {
  changes: readonly CommitChange[];
  /** What the airlock says of each change, in their order. */
  entries: readonly Entry[];
  /** Path of the pack, without its ending. */
  pack: string;
  /** The name its content gives it. */
  packName: string;
  where: Pick<GitRequest, "repository" | "objects">;
}

/** Where the pack is to be written in a directory of ours, before `stageWork`. */
export function incomingPack(directory: string): string {
  return join(directory, "objects/pack/pack-incoming.pack");
}

export async function makeIncoming(directory: string): Promise<void> {
  await mkdir(join(directory, "objects/pack"), { recursive: true, mode: 0o700 });
  await mkdir(join(directory, "objects/info"), { recursive: true, mode: 0o700 });
}

/**
 * Checks what came and judges it; nothing of it is in the user's repository yet.
 * SECURITY: every object is checked as strictly as git can (names like `.git` in a tree, malformed submodules), and that
 * all it refers to is there. Throws CLONE_WORK_INVALID.
 */
export async function stageWork(
  repository: Repository,
  work: { directory: string; base: string; commit: string; signal: AbortSignal },
): Promise<StagedWork> {
  const { directory, base, commit, signal } = work;
  const where = {
    repository: repository.workspace,
    objects: { directory: join(directory, "objects"), alternates: repository.objects },
  };
  const pack = incomingPack(directory);
  const packName = await check({ ...where, signal, args: ["index-pack", "--strict", pack] });
  await check({ ...where, signal, args: ["cat-file", "-e", `${commit}^{commit}`] });
  const connected = ["rev-list", "--objects", "--quiet", commit, "--not", "--all"];
  await check({ ...where, signal, args: connected });
  const changes = await readCommitChanges({ ...where, signal }, base, commit);
  const entries = await inspectChanges(changes, { signal });
  return {
    changes,
    entries: entries.map((entry, index) =>
      changes[index]?.isSubmodule === true ? withSubmoduleHold(entry) : entry,
    ),
    pack: pack.replace(/\.pack$/, ""),
    packName,
    where,
  };
}

async function check(request: GitRequest): Promise<string> {
  const { code, stdout, stderr } = await runGit(request);
  if (code === 0) return stdout.trim();
  const why = stderr.trim().split("\n").at(-1) ?? "";
  throw new CattlegridError(
    "CLONE_WORK_INVALID",
    `What the sandbox holds is not sound: ${why.slice(0, 300) || "git cannot read it"}.`,
  );
}

function withSubmoduleHold(entry: Entry): Entry {
  const hold = { class: "git" as const, reason: "names the repository's commit to be put there" };
  return { ...entry, verdict: "held", holds: [...entry.holds, hold] };
}

/**
 * Moves staged work into the user's repository and `ref` to it: refs and objects only, no file of the working tree.
 * Throws CLONE_BRANCH_CHANGED when the ref is not at `previous` any more (null: it does not exist), and
 * CLONE_OWNER_SHUT_OUT when whoever the repository belongs to cannot reach it.
 */
export async function importWork(
  { where, pack, packName }: StagedWork,
  repository: Repository,
  wanted: { ref: string; commit: string; previous: string | null },
): Promise<void> {
  const owner = await stat(repository.objects);
  const identity = process.getuid?.() === 0 ? { uid: owner.uid, gid: owner.gid } : undefined;
  if (identity !== undefined) await requireWayIn(where.repository, identity);
  const name = join(repository.objects, "pack", `pack-${packName}`);
  // The index last: without it no program looks at the pack.
  for (const ending of [".pack", ".idx"]) {
    const unfinished = `${name}${ending}.unfinished`;
    await copyFile(`${pack}${ending}`, unfinished);
    await chmod(unfinished, 0o444);
    if (identity !== undefined) await lchown(unfinished, identity.uid, identity.gid);
    await rename(unfinished, `${name}${ending}`);
  }
  const { ref, commit, previous } = wanted;
  const { code, stderr } = await runGit({
    repository: where.repository,
    args: ["update-ref", "--no-deref", ref, commit, previous ?? "0".repeat(commit.length)],
    ...(identity === undefined ? {} : { identity }),
  });
  if (code !== 0) throw branchChanged(ref, stderr.trim().slice(0, 300));
}

/** Before anything is put there: the ref is moved as the repository's owner, so that it can be theirs. */
async function requireWayIn(
  repository: string,
  identity: { uid: number; gid: number },
): Promise<void> {
  const { code, stderr } = await runGit({ repository, args: ["rev-parse", "--git-dir"], identity });
  if (code === 0) return;
  throw new CattlegridError(
    "CLONE_OWNER_SHUT_OUT",
    `The repository belongs to the account ${identity.uid}, which cannot reach it: ${stderr.trim().slice(0, 300)}`,
    { details: { uid: identity.uid, repository } },
  );
}

/** The commit that `ref` is at, or null. */
export async function readRef(workspace: string, ref: string): Promise<string | null> {
  const args = ["rev-parse", "--verify", "--quiet", ref];
  const { code, stdout } = await runGit({ repository: workspace, args });
  return code === 0 ? stdout.trim() : null;
}

export async function removeRef(workspace: string, ref: string): Promise<void> {
  await askGit({ repository: workspace, args: ["update-ref", "--no-deref", "-d", ref] });
}

/**
 * The commit that the branch is at, or null. Throws CLONE_BRANCH_CHANGED when others have it: it is neither absent nor
 * where we `left` it, a working tree has it checked out, or another branch's name is in its way.
 */
export async function checkBranch(
  workspace: string,
  { branch, left }: { branch: string; left: string | null },
): Promise<string | null> {
  const [namespace = ""] = branch.split("/");
  const format = "--format=%(objectname) %(refname:short) %(worktreepath)";
  const args = ["for-each-ref", format, `refs/heads/${namespace}`];
  const lines = (await askGit({ repository: workspace, args })).split("\n");
  const found = lines.map((line) => {
    const [object = "", name = "", ...path] = line.split(" ");
    return { object, name: name.replace(/^heads\//, ""), path: path.join(" ") };
  });
  if (found.some(({ name }) => name === namespace)) {
    throw branchChanged(branch, `a branch called ${namespace} is in its way`);
  }
  if (found.some(({ name }) => name.startsWith(`${branch}/`))) {
    throw branchChanged(branch, "branches below that name are in its way");
  }
  const own = found.find(({ name }) => name === branch);
  if (own === undefined) return null;
  if (own.path !== "") throw branchChanged(branch, `it is checked out in ${own.path}`);
  if (own.object === left) return own.object;
  throw branchChanged(branch, left === null ? "it exists already" : "somebody else moved it");
}

function branchChanged(branch: string, why: string): CattlegridError {
  return new CattlegridError("CLONE_BRANCH_CHANGED", `The branch ${branch} is not ours: ${why}.`);
}
