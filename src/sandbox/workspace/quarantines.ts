import { join, relative } from "node:path";
import type { Logger } from "../../platform/logger.ts";
import type { QuarantinedPath } from "../../protocol/quarantine.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { findCreatedPaths } from "../../workspace/created-paths.ts";
import { createDirectoryReader } from "../../workspace/directory-reader.ts";
import type { ProtectedPath } from "../../workspace/protected-paths.ts";
import { Quarantine } from "../../workspace/quarantine.ts";

export interface QuarantinesOptions {
  store: Store;
  stateDirectory: string;
  logger: Logger;
  now(): Date;
}

/** What sandboxes in mode `direct` made that the host would run. */
export interface Quarantines {
  list(owner: string): Promise<readonly QuarantinedPath[]>;
  restore(owner: string, id: string): Promise<QuarantinedPath>;
  remove(owner: string, id: string): Promise<void>;
  /** What of it lies in the workspace now. Empty for a sandbox that never ran. */
  look(row: SandboxRow): Promise<readonly ProtectedPath[]>;
  /** Moves it away, and returns what was moved. One sweep at a time. */
  sweep(id: string): Promise<readonly QuarantinedPath[]>;
}

export function createQuarantines(options: QuarantinesOptions): Quarantines {
  const { store, logger, now } = options;
  const quarantine = new Quarantine(options.stateDirectory);
  let queue: Promise<unknown> = Promise.resolve();

  const look = async (row: SandboxRow): Promise<readonly ProtectedPath[]> => {
    const { workspace, protectedPaths, unprotected = [] } = row.specification;
    if (workspace?.mode !== "direct" || row.startedAt === undefined) return [];
    const known = { workspace: workspace.path, protectedPaths, unprotected };
    return findCreatedPaths(known, createDirectoryReader());
  };

  const sweepNext = async (id: string): Promise<readonly QuarantinedPath[]> => {
    const row = await store.sandboxes.get(id);
    const workspace = row?.specification.workspace?.path;
    if (row === undefined || workspace === undefined) return [];
    const moved: QuarantinedPath[] = [];
    for (const { path, reason } of await look(row)) {
      const taken = await quarantine.take({
        owner: row.owner,
        sandboxId: row.id,
        sandbox: row.name,
        workspace,
        path: relative(workspace, path),
        reason,
        movedAt: now().toISOString(),
      });
      if (taken !== undefined) moved.push(taken);
    }
    if (moved.length > 0) {
      logger.warn("quarantined", { sandbox: id, paths: moved.map(({ path }) => path) });
    }
    return moved;
  };

  return {
    list: (owner) => quarantine.list(owner),
    async restore(owner, id) {
      const restored = await quarantine.restore(owner, id);
      const row = await store.sandboxes.get(restored.sandboxId);
      if (row === undefined) return restored;
      // From now on it is known, and the next sweep leaves it where it is.
      const protectedPaths = [
        ...row.specification.protectedPaths,
        join(restored.workspace, restored.path),
      ];
      const specification = { ...row.specification, protectedPaths };
      await store.sandboxes.update(row.id, { specification });
      return restored;
    },
    remove: (owner, id) => quarantine.remove(owner, id),
    look,
    sweep(id) {
      const swept = queue.then(() => sweepNext(id));
      queue = Promise.allSettled([swept]);
      return swept;
    },
  };
}
