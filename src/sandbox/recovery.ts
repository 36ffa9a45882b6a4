import type { Logger } from "../platform/logger.ts";
import type { SandboxRow } from "../store/sandbox-rows.ts";
import type { Store } from "../store/store.ts";
import type { Clones } from "./clones.ts";
import type { Gates } from "./gates.ts";
import type { Quarantines } from "./quarantines.ts";
import type { SandboxProvider } from "./provider.ts";
import { findProvider } from "./registry.ts";
import { nextStatus } from "./status.ts";

export interface RecoveryOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  gates: Gates;
  clones: Pick<Clones, "reap" | "remove">;
  quarantines: Pick<Quarantines, "sweep">;
  logger: Logger;
  now(): Date;
}

export interface Recovery {
  /** Resolves when every process and directory that nobody owns is gone. */
  cleaned: Promise<void>;
}

/** Tells the truth about what an earlier engine left: nothing of it runs. Cleaning goes on behind. */
export async function recover(options: RecoveryOptions): Promise<Recovery> {
  const { store, logger, now } = options;
  const lost = await store.sessions.lose(now().toISOString());
  const doomed: SandboxRow[] = [];
  const kept: SandboxRow[] = [];
  const interrupted: string[] = [];
  for (const row of await store.sandboxes.list()) {
    // A clone may hold work that was not fetched yet; whoever removes it fetches first.
    const isLeftover = row.ephemeral && row.specification.clone === undefined;
    const isDoomed = isLeftover || row.status === "removing";
    (isDoomed ? doomed : kept).push(row);
    if (nextStatus(row.status, "daemon-restarted") !== undefined) interrupted.push(row.id);
    const status = isDoomed ? "removing" : nextStatus(row.status, "daemon-restarted");
    if (status === undefined) continue;
    const statusReason = "the daemon restarted";
    await store.sandboxes.update(row.id, { status, statusReason, stoppedAt: now().toISOString() });
  }
  if (lost.length + doomed.length > 0) {
    logger.warn("an earlier daemon left", { sessions: lost.length, sandboxes: doomed.length });
  }
  const cleaned = clean(options, { doomed, kept, interrupted });
  // Whoever starts a sandbox gets the failure; until then it is only logged.
  cleaned.catch((error: unknown) => logger.error("what was left could not be removed", { error }));
  return { cleaned };
}

async function clean(
  options: RecoveryOptions,
  found: Record<"doomed" | "kept", readonly SandboxRow[]> & { interrupted: readonly string[] },
): Promise<void> {
  const { store, providers, gates, clones, quarantines, logger } = options;
  const { doomed, kept, interrupted } = found;
  for (const provider of providers) {
    const keep = kept.filter((row) => row.provider === provider.id).map((row) => row.id);
    const reaped = await provider.reap(new Set(keep));
    if (reaped.length > 0) logger.warn("reaped", { provider: provider.id, sandboxes: reaped });
  }
  for (const id of interrupted) await quarantines.sweep(id);
  await clones.reap(new Set(kept.map(({ id }) => id)));
  for (const row of doomed) {
    await findProvider(providers, row.provider).destroy(row.id);
    await gates.remove(row.id);
    await clones.remove(row.id);
    await store.sandboxes.remove(row.id);
  }
}
