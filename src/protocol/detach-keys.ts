/** The keys that leave a session unless the user names others. */
export const DETACH_KEYS_DEFAULT = "ctrl-p,ctrl-q";

const CONTROL_KEY = /^ctrl-([a-z@[\\\]^_])$/i;

/** Reads `ctrl-p,ctrl-q` or `ctrl-],d` as the bytes a terminal sends for them; undefined when it is no such list. */
export function parseDetachKeys(text: string): readonly number[] | undefined {
  const keys = text.split(",").map((key) => {
    const control = CONTROL_KEY.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    return /^[!-~]$/.test(key) ? key.charCodeAt(0) : undefined;
  });
  return keys.every((key) => key !== undefined) ? keys : undefined;
}

/** Finds the sequence in what a user types. The beginning of one is held back until it is clear that it is none. */
export class DetachKeys {
  readonly #keys: readonly number[];
  #held: number[] = [];

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What to pass on, and whether the sequence is complete; nothing behind it is passed on. */
  push(bytes: Uint8Array): { forward: Uint8Array; isComplete: boolean } {
    const forward: number[] = [];
    for (const byte of bytes) {
      this.#held.push(byte);
      while (!this.#held.every((held, index) => held === this.#keys[index])) {
        forward.push(...this.#held.splice(0, 1));
      }
      if (this.#held.length === this.#keys.length) {
        this.#held = [];
        return { forward: Uint8Array.from(forward), isComplete: true };
      }
    }
    return { forward: Uint8Array.from(forward), isComplete: false };
  }
}
