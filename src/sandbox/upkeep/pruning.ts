import type { Prune, Prunable } from "../../protocol/prune.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import type { LayerUse } from "./layer-use.ts";
import type { SandboxProvider } from "../provider.ts";

export interface PruningOptions {
  store: Store;
  providers: readonly SandboxProvider[];
  layerUse: LayerUse;
  remove(sandboxId: string): Promise<void>;
  /** Changes of a workspace that exist in the sandbox alone. */
  countChanges(sandboxId: string): Promise<number>;
}

export interface PruningWish {
  owner: string;
  /** Sandboxes that did not run since. */
  beforeMs: number;
}

/** What nobody would miss: sandboxes that do not run, and layers that no sandbox stands on. */
export async function findPrunable(
  { store, providers, countChanges }: Omit<PruningOptions, "remove" | "layerUse">,
  { owner, beforeMs }: PruningWish,
): Promise<Prunable> {
  const rows = await store.sandboxes.list();
  const prunable: SandboxRow[] = [];
  for (const row of rows) {
    if (row.owner !== owner || !isPrunable(row, beforeMs)) continue;
    // One whose provider is not here can be neither looked into nor removed.
    if (!providers.some(({ id }) => id === row.provider)) continue;
    if ((await countChanges(row.id)) === 0) prunable.push(row);
  }
  const sandboxes = prunable.map((row) => {
    const { id, name, agent, status } = row;
    return { id, name, agent, status, since: lastUsed(row) };
  });
  return { sandboxes, layers: await findUnusedLayers(providers, rows, prunable) };
}

/** Removes what is asked for as far as it still may be; whatever came into use since it was listed is left. */
export async function prune(
  options: PruningOptions,
  owner: string,
  asked: Prune,
): Promise<Prunable> {
  const wish = { owner, beforeMs: Infinity };
  const wanted = new Set(asked.sandboxes);
  const { sandboxes } = await findPrunable(options, wish);
  const removed = sandboxes.filter(({ id }) => wanted.has(id));
  for (const { id } of removed) await options.remove(id);
  const unused = (await findPrunable(options, wish)).layers;
  const layers: Layer[] = [];
  for (const each of unused) {
    if (!asked.layers.some((wanted) => isSame(wanted, each))) continue;
    if (await removeLayer(options, each)) layers.push(each);
  }
  return { sandboxes: removed, layers };
}

/** Unless a start has chosen it since, which its row does not say yet. */
function removeLayer(
  { store, providers, layerUse }: PruningOptions,
  { provider: id, layer }: Layer,
): Promise<boolean> {
  return layerUse.remove(id, layer, {
    async isUsed() {
      const unused = await findUnusedLayers(providers, await store.sandboxes.list(), []);
      return !unused.some((each) => isSame(each, { provider: id, layer }));
    },
    async remove() {
      await providers.find((each) => each.id === id)?.layers.remove(layer);
      await store.layers.remove(id, layer);
    },
  });
}

type Layer = Prunable["layers"][number];

function isSame(left: Layer, right: Layer): boolean {
  return left.provider === right.provider && left.layer === right.layer;
}

function isPrunable(row: SandboxRow, beforeMs: number): boolean {
  const isAtRest = row.status === "stopped" || row.status === "created";
  return isAtRest && !row.ephemeral && Date.parse(lastUsed(row)) < beforeMs;
}

function lastUsed({ stoppedAt, startedAt, createdAt }: SandboxRow): string {
  return stoppedAt ?? startedAt ?? createdAt;
}

/** As if the sandboxes of `doomed` were gone already. While something starts, any layer may be about to be used. */
async function findUnusedLayers(
  providers: readonly SandboxProvider[],
  rows: readonly SandboxRow[],
  doomed: readonly SandboxRow[],
): Promise<Prunable["layers"]> {
  if (rows.some(({ status }) => status === "starting")) return [];
  const kept = rows.filter((row) => !doomed.includes(row));
  const used = new Set(
    kept.flatMap(({ provider, specification }) =>
      specification.layers.map((layer) => JSON.stringify([provider, layer])),
    ),
  );
  const found = await Promise.all(
    providers.map(async ({ id: provider, layers }) =>
      (await layers.list()).map((layer) => ({ provider, layer })),
    ),
  );
  return found.flat().filter(({ provider, layer }) => !used.has(JSON.stringify([provider, layer])));
}
