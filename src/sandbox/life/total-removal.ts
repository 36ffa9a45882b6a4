import { asCattlegridError } from "../../errors/error.ts";
import type { TotalRemoval } from "../../protocol/daemon.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import type { SandboxProvider } from "../provider.ts";

export interface TotalRemovalOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  stop(id: string): Promise<unknown>;
  remove(id: string): Promise<void>;
}

/** Removes every sandbox, layer and base of the providers that are here. Throws the first failure, once all were tried. */
export async function removeEverything(options: TotalRemovalOptions): Promise<TotalRemoval> {
  const { store, providers } = options;
  const isHere = (row: SandboxRow): boolean => providers.some(({ id }) => id === row.provider);
  // Of what another program's provider made, only that provider can remove more than our own records.
  const rows = (await store.sandboxes.list()).filter(isHere);
  // What cannot be fetched goes all the same: that is what removing everything means.
  await Promise.allSettled(rows.map((row) => options.stop(row.id)));
  const removals = await Promise.allSettled(rows.map((row) => options.remove(row.id)));
  for (const { layers, bases } of providers) {
    for (const layer of await layers.list()) await layers.remove(layer);
    for (const base of (await bases?.list()) ?? []) await bases?.remove(base);
  }
  const failed = removals.find((removal) => removal.status === "rejected");
  if (failed !== undefined) throw asCattlegridError(failed.reason);
  const used = providers.filter(({ id }) => rows.some((row) => row.provider === id));
  return { unreached: await reapAll(used) };
}

/** A sandbox that died may have left what only its provider's own machinery knows; that need not answer any more. */
async function reapAll(providers: readonly SandboxProvider[]): Promise<TotalRemoval["unreached"]> {
  const reaping = providers.map(async (provider) => {
    try {
      await provider.reap(new Set());
      return [];
    } catch (error) {
      return [{ provider: provider.id, reason: asCattlegridError(error).message }];
    }
  });
  return (await Promise.all(reaping)).flat();
}
