import type { WorkspaceChange } from "./change.ts";
import type { ChangedTree } from "./changed-tree.ts";
import type { Pace } from "../platform/pace.ts";
import type { Tree, TreeEntry } from "./tree.ts";

const UNDECODABLE = "its name is not UTF-8";
const FORBIDDEN = "its permissions forbid to read it";

export interface Trees {
  upper: ChangedTree;
  host: Tree;
}

/** Every difference between what the sandbox sees and what the host has, parents before what is in them. */
export async function compareTrees(trees: Trees, pace: Pace): Promise<WorkspaceChange[]> {
  const changes: WorkspaceChange[] = [];
  await new Comparison(trees, pace, changes).compareDirectory("", { isHidden: false });
  return changes;
}

class Comparison {
  readonly #trees: Trees;
  readonly #pace: Pace;
  readonly #changes: WorkspaceChange[];

  constructor(trees: Trees, pace: Pace, changes: WorkspaceChange[]) {
    this.#trees = trees;
    this.#pace = pace;
    this.#changes = changes;
  }

  /** `isHidden`: nothing of the host shows below, as a directory further up is opaque or new. */
  async compareDirectory(path: string, { isHidden }: { isHidden: boolean }): Promise<void> {
    const { upper, host } = this.#trees;
    const { names, undecodable } = upper.list(path);
    for (const name of undecodable) {
      this.#add({ path: join(path, name), unreadable: UNDECODABLE, after: UNKNOWN, isCopy: false });
    }
    const written = new Set(names);
    const isOpaque = isHidden || (path !== "" && upper.isOpaque(path));
    if (isOpaque) {
      for (const name of host.list(path).names) {
        if (!written.has(name)) await this.#addDeletion(join(path, name));
      }
    }
    for (const name of names) await this.#compareEntry(join(path, name), isOpaque);
  }

  async #compareEntry(path: string, isHidden: boolean): Promise<void> {
    await this.#pace.next();
    const { upper, host } = this.#trees;
    const after = upper.look(path);
    if (after === undefined) return;
    if (after.isWhiteout) return this.#addDeletion(path);
    const before = host.look(path);
    if (after.kind === "directory") return this.#compareBelow(path, { before, after, isHidden });
    if (before?.kind === "directory") await this.#addDeletionsBelow(path);
    if (before !== undefined && this.#isSame(path, before, after)) return;
    const isCopy = upper.isCopy(path);
    const canRead = after.kind !== "file" || upper.canRead(path);
    const why = canRead ? {} : { unreadable: FORBIDDEN };
    this.#add({ path, ...(before === undefined ? {} : { before }), after, isCopy, ...why });
  }

  async #compareBelow(
    path: string,
    found: { before: TreeEntry | undefined; after: TreeEntry; isHidden: boolean },
  ): Promise<void> {
    const { before, after } = found;
    const isSame = before?.kind === "directory" && (before.mode & 0o777) === (after.mode & 0o777);
    const unreadable = !this.#trees.upper.canList(path);
    if (!isSame || unreadable) {
      const parts = before === undefined ? {} : { before };
      const why = unreadable ? { unreadable: FORBIDDEN } : {};
      this.#add({ path, ...parts, after, isCopy: false, ...why });
    }
    if (!unreadable) await this.compareDirectory(path, { isHidden: found.isHidden });
  }

  #isSame(path: string, before: TreeEntry, after: TreeEntry): boolean {
    const { upper, host } = this.#trees;
    if (before.kind !== after.kind) return false;
    if (after.kind === "link") return before.target === after.target;
    if (after.kind !== "file" || before.size !== after.size) return false;
    if ((before.mode & 0o777) !== (after.mode & 0o777)) return false;
    const hash = upper.hash(path);
    return hash !== undefined && hash === host.hash(path);
  }

  async #addDeletion(path: string): Promise<void> {
    await this.#pace.next();
    const before = this.#trees.host.look(path);
    if (before === undefined) return;
    this.#add({ path, before, isCopy: false });
    if (before.kind === "directory") await this.#addDeletionsBelow(path);
  }

  async #addDeletionsBelow(path: string): Promise<void> {
    const { names, undecodable } = this.#trees.host.list(path);
    for (const name of undecodable) {
      this.#add({
        path: join(path, name),
        unreadable: UNDECODABLE,
        before: UNKNOWN,
        isCopy: false,
      });
    }
    for (const name of names) await this.#addDeletion(join(path, name));
  }

  #add(change: WorkspaceChange): void {
    const { path, before } = change;
    const isUnseen =
      before !== undefined && before.kind !== "directory" && !this.#trees.upper.hasSeen(path);
    this.#changes.push(isUnseen ? { ...change, isUnseen } : change);
  }
}

const UNKNOWN: TreeEntry = {
  kind: "other",
  mode: 0,
  size: 0,
  isWhiteout: false,
  identity: "",
  stamp: "",
  changedAtNs: 0n,
  uid: 0,
  gid: 0,
};

function join(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
