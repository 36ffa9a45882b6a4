import { hashStaged, isGitIndex } from "./git-index.ts";
import type { ReadableTree } from "./changed-tree.ts";
import type { TreeEntry } from "./tree.ts";

/** One path at which what the sandbox wrote differs from what the host has. */
export interface WorkspaceChange {
  /** Relative to the workspace. */
  path: string;
  /** On the host now; absent: nothing. */
  before?: TreeEntry;
  /** In the sandbox; absent: deleted. */
  after?: TreeEntry;
  /** The file of the sandbox began as a copy of one of the host's. */
  isCopy: boolean;
  /** The sandbox was never shown what the host has there. */
  isUnseen?: true;
  /** It can be neither read nor applied; why. */
  unreadable?: string;
}

/** What a path holds, as text that two trees share exactly when they hold the same there. */
export function digest(
  { tree, path }: { tree: ReadableTree; path: string },
  entry: TreeEntry | undefined,
  /** The path in the workspace, where the tree knows it by another name. */
  subject = path,
): string {
  if (entry === undefined) return "-";
  const mode = (entry.mode & 0o777).toString(8);
  if (entry.kind === "file") {
    const staged = isGitIndex(subject) ? hashStagedAt(tree, path) : undefined;
    return `file ${mode} ${staged ?? tree.hash(path) ?? "unreadable"}`;
  }
  if (entry.kind === "link") return `link ${entry.target ?? ""}`;
  return `${entry.kind} ${mode}`;
}

export function kindOf({
  before,
  after,
}: Pick<WorkspaceChange, "before" | "after">): "added" | "modified" | "deleted" {
  if (after === undefined) return "deleted";
  return before === undefined ? "added" : "modified";
}

const INDEX_BYTES_MAX = 64 * 1024 * 1024;

function hashStagedAt(tree: ReadableTree, path: string): string | undefined {
  const content = tree.read(path, INDEX_BYTES_MAX);
  return content && hashStaged(content);
}
