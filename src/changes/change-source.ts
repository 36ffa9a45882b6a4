import type { ChangedTree } from "./changed-tree.ts";
import type { Trees } from "./comparison.ts";
import type { ChangeRecords } from "./journal.ts";
import { Tree } from "./tree.ts";

export interface ChangeSource {
  workspace: string;
  /** What the sandbox changed, as it is now, beside the tree of the host; whoever opens it closes it. */
  openChanged(host: Tree): ChangedTree;
  begunAtNs: bigint;
  records: ChangeRecords;
  onCorrupt(error: unknown): void;
}

export async function withTrees<T>(
  { workspace, openChanged }: Pick<ChangeSource, "workspace" | "openChanged">,
  use: (trees: Trees) => Promise<T>,
): Promise<T> {
  using opened = new DisposableStack();
  const host = opened.adopt(new Tree(workspace), (tree) => tree.close());
  const upper = opened.adopt(openChanged(host), (tree) => tree.close());
  return await use({ upper, host });
}
