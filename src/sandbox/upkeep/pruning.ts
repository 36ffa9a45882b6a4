import type { Prune, Prunable } from "../../protocol/prune.ts";
import type { SandboxRow, StoredSpecification } from "../../store/sandbox-rows.ts";
import type { Store } from "../../store/store.ts";
import { baseLayer, baseOf, type LayerUse } from "./layer-use.ts";
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
  const unused = await findUnusedLayers(providers, rows, prunable);
  return { sandboxes, layers: await withSizes({ store, providers }, unused) };
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
  const layers: Prunable["layers"][number][] = [];
  for (const each of unused) {
    if (!asked.layers.some((wanted) => isSame(wanted, each))) continue;
    if (await removeUnused(options, each)) layers.push(each);
  }
  return { sandboxes: removed, layers };
}

/** Unless a start has chosen it since, which its row does not say yet. */
function removeUnused(
  { store, providers, layerUse }: PruningOptions,
  { provider: id, layer }: Layer,
): Promise<boolean> {
  return layerUse.remove(id, layer, {
    async isUsed() {
      const unused = await findUnusedLayers(providers, await store.sandboxes.list(), []);
      return !unused.some((each) => isSame(each, { provider: id, layer }));
    },
    async remove() {
      await removeLayer(providers, { provider: id, layer });
      await store.layers.remove(id, layer);
    },
  });
}

type Layer = Pick<Prunable["layers"][number], "provider" | "layer">;

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

/** Of the home, or of the root file system. */
export async function removeLayer(
  providers: readonly SandboxProvider[],
  { provider: id, layer }: Layer,
): Promise<void> {
  const provider = providers.find((each) => each.id === id);
  const base = baseOf(layer);
  if (base === undefined) await provider?.layers.remove(layer);
  else await provider?.bases?.remove(base);
}

/** Whether a sandbox of the layer's provider stands on it. */
export function standsOn({ layers, base }: StoredSpecification, layer: string): boolean {
  return layers.includes(layer) || (base !== undefined && baseLayer(base.id) === layer);
}

/** As if the sandboxes of `doomed` were gone already. While something starts, any layer may be about to be used. */
async function findUnusedLayers(
  providers: readonly SandboxProvider[],
  rows: readonly SandboxRow[],
  doomed: readonly SandboxRow[],
): Promise<readonly Layer[]> {
  if (rows.some(({ status }) => status === "starting")) return [];
  const kept = rows.filter((row) => !doomed.includes(row));
  const found = await Promise.all(
    providers.map(async ({ id: provider, layers, bases }) => {
      const all = [...(await layers.list()), ...((await bases?.list()) ?? []).map(baseLayer)];
      const users = kept.filter((row) => row.provider === provider);
      return all
        .filter((layer) => !users.some(({ specification }) => standsOn(specification, layer)))
        .map((layer) => ({ provider, layer }));
    }),
  );
  return found.flat();
}

/** What each takes, as it was measured when it was made, or is now. */
async function withSizes(
  { store, providers }: Pick<PruningOptions, "store" | "providers">,
  layers: readonly Layer[],
): Promise<Prunable["layers"]> {
  const known = await store.layers.list();
  return Promise.all(
    layers.map(async (each) => {
      const provider = providers.find(({ id }) => id === each.provider);
      const base = baseOf(each.layer);
      const bytes =
        known.find((row) => isSame(row, each))?.bytes ??
        (await (base === undefined
          ? provider?.layers.measure?.(each.layer)
          : provider?.bases?.measure?.(base)));
      return { ...each, ...(bytes === undefined ? {} : { bytes }) };
    }),
  );
}
