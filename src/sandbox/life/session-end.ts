import type { Logger } from "../../platform/logger.ts";
import type { Store } from "../../store/store.ts";
import type { Policies } from "../egress/policies.ts";
import type { Quarantines } from "../workspace/quarantines.ts";
import type { WorkspaceChanges } from "../workspace/workspace-changes.ts";

export interface SessionEndOptions {
  store: Store;
  logger: Logger;
  policies: Policies;
  quarantines: Quarantines;
  changes: WorkspaceChanges;
  removeLater(id: string): void;
}

const COUNT_TIMEOUT_MS = 600_000;

/** What a sandbox is due when a session of it has ended. */
export async function settleSession(
  options: SessionEndOptions,
  { id, sessionId }: { id: string; sessionId: string },
): Promise<void> {
  const { store, logger, policies, quarantines, changes } = options;
  await policies.endSession(id, sessionId);
  await quarantines.sweep(id);
  await changes.fetch(id, AbortSignal.timeout(COUNT_TIMEOUT_MS));
  const row = await store.sandboxes.get(id);
  if (row?.specification.removeAfterSession !== true) return;
  // Who holds its lease still looks at what was changed, and it goes with that.
  if (row.ephemeral) return;
  const unapplied = await changes.count(id, AbortSignal.timeout(COUNT_TIMEOUT_MS));
  if (unapplied === 0) options.removeLater(id);
  else logger.info("kept after its session for its changes", { id, unapplied });
}
