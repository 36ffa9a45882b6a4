import { lstatSync } from "node:fs";
import { mkdir, open, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Entry } from "../../airlock/change.ts";
import { CattlegridError } from "../../errors/error.ts";
import { removeTree } from "../../platform/tree-removal.ts";
import type { SandboxRow, StoredClone } from "../../store/sandbox-rows.ts";
import { branchName } from "../../workspace/clone/branch-name.ts";
import {
  checkBranch,
  importWork,
  incomingPack,
  makeIncoming,
  readRef,
  removeRef,
  stageWork,
  type StagedWork,
} from "../../workspace/clone/branch-import.ts";
import { EXPORT_SCRIPT, type ExportedWork } from "../../workspace/clone/export.ts";
import { makePrivateClone } from "../../workspace/clone/private-clone.ts";
import {
  findLeftBehind,
  inspectRepository,
  type LeftBehind,
  type Repository,
} from "../../workspace/clone/repository.ts";
import { receiveWork } from "./clone-work.ts";
import type { Gates } from "../egress/gates.ts";
import { authorOf } from "./commit-author.ts";
import type { StartContext } from "../life/lifecycle.ts";
import type { SandboxProvider } from "../provider.ts";
import { createThrowAway } from "../life/throw-away.ts";

/** What came of fetching the work in a clone. */
export interface FetchedWork {
  /** `held`: what came waits under `heldRef` until its held paths are approved; the branch stays where it was. */
  outcome: "unchanged" | "fetched" | "held";
  branch: string;
  heldRef: string;
  commit: string;
  hasUncommitted: boolean;
  otherBranches: readonly string[];
  /** Every path that differs from where the clone began. */
  entries: readonly Entry[];
  /** What to keep in the row. */
  clone: StoredClone;
}

export interface ClonesOptions {
  stateDirectory: string;
  gates: Gates;
}

const FETCH_TIMEOUT_MS = 10 * 60_000;

/**
 * The private clones of sandboxes in mode `clone`, below the state directory.
 * SECURITY: git that obeys what an agent wrote runs only in throw-away sandboxes without a network; outside we make
 * the clone before an agent has seen it, and read what those sandboxes print.
 */
export class Clones {
  readonly #options: ClonesOptions;
  readonly #directory: string;

  constructor(options: ClonesOptions) {
    this.#options = options;
    this.#directory = join(options.stateDirectory, "clones");
  }

  /** Whether a clone can be made, before anything is. Throws WORKSPACE_NOT_CLONABLE, CLONE_BRANCH_CHANGED. */
  async plan(workspace: string, name: string): Promise<StoredClone> {
    const repository = await inspectRepository(workspace);
    const branch = branchName(name);
    await checkBranch(workspace, { branch, left: null });
    return { branch, base: repository.head, fetched: null, held: null, approved: {} };
  }

  /** The directory to lay at the workspace's path: the clone, made when it is not there yet. */
  async prepare(
    row: SandboxRow,
    provider: SandboxProvider,
    { signal, report }: Pick<StartContext, "signal" | "report">,
  ): Promise<string> {
    const tree = this.#treeOf(row.id);
    if (isDirectory(tree)) return tree;
    const { clone, path } = cloneOf(row);
    const building = join(this.#directory, `${row.id}.new`);
    await removeTree(building);
    await mkdir(building, { recursive: true, mode: 0o700 });
    const source = join(building, "tree");
    await mkdir(source);
    const repository = { ...(await inspectRepository(path)), head: clone.base };
    const text = tellLeftBehind(await findLeftBehind(repository));
    if (text !== undefined) report({ type: "notice", text });
    await makePrivateClone(repository, { target: source, branch: clone.branch, signal });
    const throwAway = await this.#throwAway(row, provider, { source, mode: "clone", signal });
    try {
      const argv = ["git", "checkout", "--quiet", "--force", clone.branch, "--"];
      const checkout = await throwAway.running.exec({ argv }, signal);
      checkout.input.end();
      const [errors, ending] = await Promise.all([readText(checkout.errors), checkout.ended]);
      if (ending.code !== 0) throw new CattlegridError("GIT_FAILED", `git checkout: ${errors}`);
    } finally {
      await throwAway.remove();
    }
    await rename(building, join(this.#directory, row.id));
    return tree;
  }

  /** Brings the work in the clone into the user's repository, as far as the airlock and `approve` let it. */
  async fetch(
    row: SandboxRow,
    provider: SandboxProvider,
    wanted: { approve: readonly string[]; signal: AbortSignal },
  ): Promise<FetchedWork> {
    const signal = AbortSignal.any([wanted.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
    const { clone, path } = cloneOf(row);
    const repository = await inspectRepository(path);
    const directory = join(this.#directory, `${row.id}.incoming`);
    await removeTree(directory);
    await makeIncoming(directory);
    try {
      const work = await this.#receive(row, { provider, directory, signal });
      const { commit } = work;
      const staged = await stageWork(repository, { directory, base: clone.base, commit, signal });
      return await settle({ row, repository, staged, work, approve: wanted.approve });
    } finally {
      await removeTree(directory);
    }
  }

  /** Whether the clone was made, which the first start does. */
  has(id: string): boolean {
    return isDirectory(this.#treeOf(id));
  }

  async remove(id: string): Promise<void> {
    for (const ending of ["", ".new", ".incoming"]) {
      await removeTree(join(this.#directory, `${id}${ending}`));
    }
  }

  /** Removes those of sandboxes that are not there any more, and what a crash left half made. */
  async reap(keep: ReadonlySet<string>): Promise<void> {
    if (!isDirectory(this.#directory)) return;
    const doomed = (await readdir(this.#directory)).filter((name) => !keep.has(name));
    for (const name of doomed) await removeTree(join(this.#directory, name));
  }

  async #receive(
    row: SandboxRow,
    context: { provider: SandboxProvider; directory: string; signal: AbortSignal },
  ): Promise<ExportedWork> {
    const { provider, directory, signal } = context;
    const { clone } = cloneOf(row);
    const source = this.#treeOf(row.id);
    const throwAway = await this.#throwAway(row, provider, { source, mode: "readonly", signal });
    try {
      const message = `Changes left uncommitted in the sandbox ${row.name}`;
      const known = [clone.base, ...(clone.fetched === null ? [] : [clone.fetched])];
      const argv = ["sh", "-c", EXPORT_SCRIPT, "sh", clone.branch, message, ...known];
      const environment = authorOf(row);
      const exporting = await throwAway.running.exec({ argv, environment }, signal);
      exporting.input.end();
      await using pack = await open(incomingPack(directory), "wx", 0o600);
      return await receiveWork(exporting, pack);
    } finally {
      await throwAway.remove();
    }
  }

  #throwAway(
    row: SandboxRow,
    provider: SandboxProvider,
    wanted: { source: string; mode: "clone" | "readonly"; signal: AbortSignal },
  ): ReturnType<typeof createThrowAway> {
    const { signal, source, mode } = wanted;
    return createThrowAway(this.#options.gates, {
      agent: { id: "git", hosts: [], environment: {} },
      policy: { preset: "locked" },
      provider,
      isolation: row.specification.isolation,
      mirrors: null,
      workspace: { path: cloneOf(row).path, mode, source },
      signal,
    });
  }

  #treeOf(id: string): string {
    return join(this.#directory, id, "tree");
  }
}

interface Settling {
  row: SandboxRow;
  repository: Repository;
  staged: StagedWork;
  work: ExportedWork;
  approve: readonly string[];
}

/** Moves the branch when nothing is held back any more, else keeps what came under a ref that no command checks out. */
async function settle({ row, repository, staged, work, approve }: Settling): Promise<FetchedWork> {
  const { clone, path } = cloneOf(row);
  const approved = { ...clone.approved, ...approvalsOf(staged, approve) };
  const heldRef = `refs/${clone.branch.replace("/", "/held/")}`;
  const entries = staged.entries.map((entry, index): Entry => {
    const isApproved = approved[entry.path] === (staged.changes[index]?.object ?? GONE);
    return isApproved ? { ...entry, verdict: "plain" } : entry;
  });
  const result = { ...work, branch: clone.branch, heldRef, entries };
  const { commit } = work;
  if (commit === clone.fetched || commit === clone.base) {
    return { ...result, outcome: "unchanged", clone: { ...clone, approved } };
  }
  if (entries.some(({ verdict }) => verdict === "held")) {
    const previous = await readRef(path, heldRef);
    await importWork(staged, repository, { ref: heldRef, commit, previous });
    return { ...result, outcome: "held", clone: { ...clone, approved, held: commit } };
  }
  const previous = await checkBranch(path, { branch: clone.branch, left: clone.fetched });
  const ref = `refs/heads/${clone.branch}`;
  await importWork(staged, repository, { ref, commit, previous });
  if (clone.held !== null) await removeRef(path, heldRef);
  return {
    ...result,
    outcome: "fetched",
    clone: { ...clone, approved, fetched: commit, held: null },
  };
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** In place of an object, where a path is gone. */
const GONE = "gone";

/** Throws REQUEST_INVALID for a path that has nothing to be approved: a slip must not pass for consent. */
function approvalsOf(staged: StagedWork, approve: readonly string[]): Record<string, string> {
  const approvals = approve.map((path): [string, string] => {
    const index = staged.changes.findIndex((change) => change.path === path);
    if (index === -1) {
      throw new CattlegridError("REQUEST_INVALID", `The work changes nothing called ${path}.`);
    }
    return [path, staged.changes[index]?.object ?? GONE];
  });
  return Object.fromEntries(approvals);
}

function cloneOf(row: SandboxRow): { clone: StoredClone; path: string } {
  const { clone, workspace } = row.specification;
  if (clone !== undefined && workspace !== null) return { clone, path: workspace.path };
  throw new CattlegridError(
    "WORKSPACE_MODE_UNAVAILABLE",
    `The sandbox ${row.name} has no clone: its mode is ${workspace?.mode ?? "without a workspace"}.`,
  );
}

/** Undefined when the clone has all that the working tree has, but for what git ignores. */
function tellLeftBehind({ changed, untracked, submodules }: LeftBehind): string | undefined {
  const parts = [
    ...(changed > 0 ? [`${changed} changed`] : []),
    ...(untracked > 0 ? [`${untracked} untracked`] : []),
  ];
  const sentences = [
    ...(parts.length > 0
      ? [
          `Not in the clone: ${parts.join(" and ")} file(s) of your working tree; commit them first.`,
        ]
      : []),
    ...(submodules > 0 ? [`${submodules} submodule(s) are empty in the clone.`] : []),
  ];
  return sentences.length === 0 ? undefined : sentences.join(" ");
}

async function readText(stream: AsyncIterable<Buffer> | undefined): Promise<string> {
  let text = "";
  for await (const chunk of stream ?? []) text = (text + chunk.toString("utf8")).slice(-2000);
  return text.trim();
}
