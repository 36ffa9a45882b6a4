export interface LayerRemoval {
  isUsed(): Promise<boolean>;
  remove(): Promise<void>;
}

/**
 * Which layers are about to be used, and which are about to go: what one part of the engine has chosen, another must not
 * remove before it is written down.
 */
export class LayerUse {
  readonly #pins = new Map<string, number>();
  readonly #doomed = new Set<string>();

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
   * Removes a layer that nobody has chosen, nor, as `isUsed` then looks, written down as in use; tells whether. From
   * before the look on nobody can choose it any more.
   */
  async remove(provider: string, layer: string, removal: LayerRemoval): Promise<boolean> {
    const key = keyOf(provider, layer);
    if (this.#pins.has(key) || this.#doomed.has(key)) return false;
    this.#doomed.add(key);
    try {
      if (await removal.isUsed()) return false;
      await removal.remove();
      return true;
    } finally {
      this.#doomed.delete(key);
    }
  }

  #unpin(key: string): void {
    const left = (this.#pins.get(key) ?? 1) - 1;
    if (left === 0) this.#pins.delete(key);
    else this.#pins.set(key, left);
  }
}

function keyOf(provider: string, layer: string): string {
  return JSON.stringify([provider, layer]);
}
