export interface LayerRemoval {
  isUsed(): Promise<boolean>;
  remove(): Promise<void>;
}

const BASE = "base/";

/** A kept root file system, as the lowest of the layers that stand on it. */
export function baseLayer(id: string): string {
  return `${BASE}${id}`;
}

/** The root file system that it is; undefined for a layer of a home. */
export function baseOf(layer: string): string | undefined {
  return layer.startsWith(BASE) ? layer.slice(BASE.length) : undefined;
}

/**
 * Which layers are about to be used, and which are about to go: what one part of the engine has chosen, another must not
 * remove before it is written down.
 */
export class LayerUse {
  readonly #pins = new Map<string, number>();
  readonly #doomed = new Set<string>();
  /** By provider: how many are choosing a root file system, which they find or make. */
  readonly #choosing = new Map<string, number>();
  readonly #removals = new Set<Promise<unknown>>();

  /** Those that may be chosen. */
  without(provider: string, layers: readonly string[]): readonly string[] {
    return layers.filter((layer) => !this.#doomed.has(keyOf(provider, layer)));
  }

  /** They stay until the pin is disposed of. Call without a wait after they were found. */
  pin(provider: string, layers: readonly string[]): Disposable {
    const keys = layers.map((layer) => keyOf(provider, layer));
    for (const key of keys) this.#pins.set(key, (this.#pins.get(key) ?? 0) + 1);
    let isPinned = true;
    return {
      [Symbol.dispose]: () => {
        if (isPinned) for (const key of keys) this.#unpin(key);
        isPinned = false;
      },
    };
  }

  /**
   * Pins what is found or made by work that waits. No root file system is removed meanwhile, as nobody knows yet which of
   * them it will be.
   */
  async choose<Chosen>(
    provider: string,
    work: () => Promise<Chosen>,
    layersOf: (chosen: Chosen) => readonly string[],
  ): Promise<{ chosen: Chosen; pin: Disposable }> {
    while (this.#removals.size > 0) await Promise.allSettled(this.#removals);
    this.#choosing.set(provider, (this.#choosing.get(provider) ?? 0) + 1);
    try {
      const chosen = await work();
      return { chosen, pin: this.pin(provider, layersOf(chosen)) };
    } finally {
      this.#choosing.set(provider, (this.#choosing.get(provider) ?? 1) - 1);
    }
  }

  /**
   * Removes a layer that nobody has chosen, nor, as `isUsed` then looks, written down as in use; tells whether. From
   * before the look on nobody can choose it any more.
   */
  async remove(provider: string, layer: string, removal: LayerRemoval): Promise<boolean> {
    const key = keyOf(provider, layer);
    if (this.#pins.has(key) || this.#doomed.has(key)) return false;
    const isBase = baseOf(layer) !== undefined;
    if (isBase && (this.#choosing.get(provider) ?? 0) > 0) return false;
    this.#doomed.add(key);
    const removing = removeUnused(removal);
    if (isBase) this.#removals.add(removing);
    try {
      return await removing;
    } finally {
      this.#doomed.delete(key);
      this.#removals.delete(removing);
    }
  }

  #unpin(key: string): void {
    const left = (this.#pins.get(key) ?? 1) - 1;
    if (left === 0) this.#pins.delete(key);
    else this.#pins.set(key, left);
  }
}

async function removeUnused({ isUsed, remove }: LayerRemoval): Promise<boolean> {
  if (await isUsed()) return false;
  await remove();
  return true;
}

function keyOf(provider: string, layer: string): string {
  return JSON.stringify([provider, layer]);
}
