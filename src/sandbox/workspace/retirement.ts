import type { Logger } from "../../platform/logger.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { isCopied } from "./copies.ts";
import type { SandboxProvider } from "../provider.ts";
import { providerOf } from "../registry.ts";
import type { WorkspaceChanges } from "./workspace-changes.ts";

export interface RetirementOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  changes: WorkspaceChanges;
  logger: Logger;
  start(id: string): Promise<unknown>;
  stop(id: string): Promise<unknown>;
  remove(id: string): Promise<void>;
}

/** How ephemeral sandboxes with copied workspaces go: never with the only copy of what was made in them. */
export interface Retirement {
  /**
   * Brings out what was changed and deletes the sandbox. True when there is something that was not applied: its record stays with the
   * changes, as a stopped sandbox that is ephemeral no more.
   */
  keepsChanges(row: SandboxRow): Promise<boolean>;
  /** The same for those that an earlier engine left, which are started for it. Never fails: what cannot be reached stays. */
  settleAbandoned(): Promise<void>;
}

const COUNT_TIMEOUT_MS = 600_000;
const SAVED = "it was deleted when its chat ended; its changes are kept";
const UNREACHABLE = "its changes could not be brought out; start it to try again";

export function createRetirement(options: RetirementOptions): Retirement {
  const { store, providers, changes, logger } = options;

  const keep = async (row: SandboxRow, statusReason: string): Promise<void> => {
    await store.sandboxes.keep(row.id);
    await store.sandboxes.update(row.id, { statusReason });
  };

  const keepsChanges = async (row: SandboxRow): Promise<boolean> => {
    if (!row.ephemeral || !isCopied(row)) return false;
    await options.stop(row.id);
    const isFetched = changes.isFetched(row);
    const signal = AbortSignal.timeout(COUNT_TIMEOUT_MS);
    if (isFetched && (await changes.count(row.id, signal)) === 0) return false;
    if (isFetched) await providerOf(providers, row).destroy(row.id);
    await keep(row, isFetched ? SAVED : UNREACHABLE);
    return true;
  };

  return {
    keepsChanges,
    async settleAbandoned() {
      const isAbandoned = (row: SandboxRow): boolean =>
        row.ephemeral && isCopied(row) && providers.some(({ id }) => id === row.provider);
      for (const row of (await store.sandboxes.list()).filter(isAbandoned)) {
        try {
          if (!changes.isFetched(row)) await options.start(row.id);
          await options.remove(row.id);
        } catch (error) {
          logger.warn("an ephemeral sandbox is kept for its changes", { id: row.id, error });
          await keep(row, UNREACHABLE);
        }
      }
    },
  };
}
