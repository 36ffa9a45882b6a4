import type { Logger } from "../../platform/logger.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import type { Clones } from "../workspace/clones.ts";
import { isCopied, type Copies } from "../workspace/copies.ts";
import type { Gates } from "../egress/gates.ts";
import type { Quarantines } from "../workspace/quarantines.ts";
import type { SandboxProvider } from "../provider.ts";
import { nextStatus } from "./status.ts";

export interface RecoveryOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  gates: Gates;
  clones: Pick<Clones, "reap" | "remove">;
  copies: Pick<Copies, "reap">;
  quarantines: Pick<Quarantines, "sweep">;
  logger: Logger;
  now(): Date;
}

export interface Recovery {
  /**
   * Resolves when every process and directory that nobody owns is gone from that provider. What failed, such as a
   * backend that was not there, is tried again for the next who asks.
   */
  of(providerId: string): Promise<void>;
  /** The same for all of them. */
  all(): Promise<void>;
}

interface Found {
  /** To be removed. */
  doomed: readonly SandboxRow[];
  kept: readonly SandboxRow[];
  /** Those that ran when the earlier engine ended. */
  interrupted: readonly SandboxRow[];
}

/** Tells the truth about what an earlier engine left: nothing of it runs. Cleaning goes on behind. */
export async function recover(options: RecoveryOptions): Promise<Recovery> {
  const { store, providers, clones, copies, logger, now } = options;
  const lost = await store.sessions.lose(now().toISOString());
  const found = await settleRows(options);
  if (lost.length + found.doomed.length > 0) {
    const counts = { sessions: lost.length, sandboxes: found.doomed.length };
    logger.warn("an earlier daemon left", counts);
  }
  // Before any new one is made. What is doomed goes with its sandbox.
  const known = new Set([...found.kept, ...found.doomed].map(({ id }) => id));
  const reaped = Promise.all([clones.reap(known), copies.reap(known)]).then(() => undefined);
  const attempts = new Map<string, Promise<void>>();
  const of = (providerId: string): Promise<void> => {
    const provider = providers.find(({ id }) => id === providerId);
    if (provider === undefined) return reaped;
    const running = attempts.get(providerId);
    if (running !== undefined) return running;
    const attempt = reaped.then(() => clean(options, provider, found));
    attempts.set(providerId, attempt);
    // Whoever starts a sandbox gets the failure; until then it is only logged.
    attempt.catch((error: unknown) => {
      attempts.delete(providerId);
      logger.error("what was left could not be removed", { provider: providerId, error });
    });
    return attempt;
  };
  const all = async (): Promise<void> =>
    void (await Promise.all(providers.map(({ id }) => of(id))));
  for (const { id } of providers) void of(id);
  return { of, all };
}

async function settleRows({ store, now }: RecoveryOptions): Promise<Found> {
  const doomed: SandboxRow[] = [];
  const kept: SandboxRow[] = [];
  const interrupted: SandboxRow[] = [];
  for (const row of await store.sandboxes.list()) {
    // A clone or a copy may hold work that was not fetched yet; whoever removes it fetches first.
    const isLeftover = row.ephemeral && row.specification.clone === undefined && !isCopied(row);
    const isDoomed = isLeftover || row.status === "removing";
    (isDoomed ? doomed : kept).push(row);
    if (nextStatus(row.status, "daemon-restarted") !== undefined) interrupted.push(row);
    const status = isDoomed ? "removing" : nextStatus(row.status, "daemon-restarted");
    if (status === undefined) continue;
    const statusReason = "the daemon restarted";
    await store.sandboxes.update(row.id, { status, statusReason, stoppedAt: now().toISOString() });
  }
  return { doomed, kept, interrupted };
}

async function clean(
  options: RecoveryOptions,
  provider: SandboxProvider,
  found: Found,
): Promise<void> {
  const { store, gates, clones, quarantines, logger } = options;
  const isOwn = (row: SandboxRow): boolean => row.provider === provider.id;
  const reaped = await provider.reap(new Set(found.kept.filter(isOwn).map(({ id }) => id)));
  if (reaped.length > 0) logger.warn("reaped", { provider: provider.id, sandboxes: reaped });
  for (const { id } of found.interrupted.filter(isOwn)) await quarantines.sweep(id);
  for (const { id } of found.doomed.filter(isOwn)) {
    await provider.destroy(id);
    await gates.remove(id);
    await clones.remove(id);
    await store.sandboxes.remove(id);
  }
}
