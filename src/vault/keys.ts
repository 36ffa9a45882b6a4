import { join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { type FileLock, lockFile } from "../platform/file-lock.ts";
import { createKey, type KeySet, readKeySet, type VaultKey, writeKeySet } from "./key-set.ts";
import type { KeyPlace, KeyPlaceId } from "./key-place.ts";
import { readVaultFile, writeVaultFile, type VaultFile } from "./vault-file.ts";

export interface VaultKeysOptions {
  directory: string;
  /** In the order of preference; the last always answers. */
  places: readonly KeyPlace[];
  /** Whether anything is sealed already, which a new key could not open. */
  hasEntries(): Promise<boolean>;
}

/** The key that seals, held so that it stays the one until it is let go. */
export interface HeldKey extends AsyncDisposable {
  readonly key: VaultKey;
}

/** Knows which key seals and where keys are kept; the bytes of keys leave it for sealing and unsealing only. */
export class VaultKeys {
  readonly #options: VaultKeysOptions;
  readonly #vaultFile: string;
  readonly #lockFile: string;
  /** Of the keyring, whose program takes longer than a file; refreshed when it lacks the key that is wanted. */
  #loaded: KeySet | undefined;

  constructor(options: VaultKeysOptions) {
    this.#options = options;
    this.#vaultFile = join(options.directory, "vault.json");
    this.#lockFile = join(options.directory, "locks", ".key");
  }

  facts(): Promise<VaultFile | undefined> {
    return readVaultFile(this.#vaultFile);
  }

  place(id: KeyPlaceId): KeyPlace {
    const found = this.#options.places.find((place) => place.id === id);
    if (found !== undefined) return found;
    throw new CattlegridError("INTERNAL", `There is no place ${id} for keys.`);
  }

  /** Throws VAULT_KEY_LOST, VAULT_KEY_UNAVAILABLE. */
  async find(keyId: string, signal: AbortSignal): Promise<VaultKey> {
    const file = await this.facts();
    if (file === undefined) throw lost("The vault's own file is gone");
    const has = ({ id }: VaultKey): boolean => id === keyId;
    const remembered = file.keyPlace === "keyring" ? this.#loaded?.find(has) : undefined;
    const found = remembered ?? (await this.#load(file, signal)).find(has);
    if (found !== undefined) return found;
    throw lost(`${this.place(file.keyPlace).title} does not hold the key it was sealed with`);
  }

  /** The key to seal with, which is made when there is nothing yet. While it is held, no rotation passes. */
  async hold(signal: AbortSignal): Promise<HeldKey> {
    await this.#ensure(signal);
    const lock = await lockFile(this.#lockFile, { how: "shared", signal });
    try {
      const { currentKey = "" } = (await this.facts()) ?? {};
      const key = await this.find(currentKey, signal);
      return { key, [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]() };
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Makes a new key the one that seals; the earlier ones are kept. Returns its id. */
  async begin(placeId: KeyPlaceId | undefined, signal: AbortSignal): Promise<string> {
    await this.#ensure(signal);
    await using _lock = await this.#lock(signal);
    const file = await this.#requireFile();
    const earlier = await this.#load(file, signal);
    const key = createKey();
    const place = await this.#choose(placeId, signal);
    // First the keys, then the file that names them: whatever ends in between, every value can still be opened.
    await this.#store(place, [key, ...earlier], signal);
    await writeVaultFile(this.#vaultFile, { keyPlace: place.id, currentKey: key.id });
    if (place.id !== file.keyPlace) await this.place(file.keyPlace).clear(signal);
    return key.id;
  }

  /** Forgets every key but the one that seals, if `isUnused` says, while nothing can be sealed, that it may. */
  async finish(
    isUnused: (currentKey: string) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<boolean> {
    await using _lock = await this.#lock(signal);
    const file = await this.#requireFile();
    if (!(await isUnused(file.currentKey))) return false;
    const keys = await this.#load(file, signal);
    const current = keys.find(({ id }) => id === file.currentKey);
    if (current === undefined) throw lost("The key that seals is gone");
    if (keys.length > 1) await this.#store(this.place(file.keyPlace), [current], signal);
    return true;
  }

  /** Takes the keys away, wherever they are. What is sealed can then never be opened again. */
  async destroy(signal: AbortSignal): Promise<void> {
    const file = await this.facts();
    this.#loaded = undefined;
    if (file !== undefined) await this.place(file.keyPlace).clear(signal);
  }

  async #ensure(signal: AbortSignal): Promise<void> {
    if (await this.#isUsable(signal)) return;
    await using _lock = await this.#lock(signal);
    if (await this.#isUsable(signal)) return;
    // SECURITY: never a second key beside values of a first: who lost it has to be told, and not on the next read.
    if (await this.#options.hasEntries()) throw lost("The key of the vault is gone");
    const place = await this.#choose(undefined, signal);
    const key = createKey();
    await this.#store(place, [key], signal);
    await writeVaultFile(this.#vaultFile, { keyPlace: place.id, currentKey: key.id });
  }

  async #isUsable(signal: AbortSignal): Promise<boolean> {
    const file = await this.facts();
    if (file === undefined) return false;
    if (file.keyPlace === "keyring" && this.#loaded !== undefined) return true;
    return (await this.place(file.keyPlace).load(signal)) !== undefined;
  }

  async #choose(id: KeyPlaceId | undefined, signal: AbortSignal): Promise<KeyPlace> {
    if (id !== undefined) {
      const place = this.place(id);
      const why = await place.refusal(signal);
      if (why === undefined) return place;
      const message = `The key of the vault cannot be kept in ${place.title}: ${why}.`;
      throw new CattlegridError("VAULT_KEY_UNAVAILABLE", message);
    }
    for (const place of this.#options.places) {
      if ((await place.refusal(signal)) === undefined) return place;
    }
    throw new CattlegridError("INTERNAL", "There is no place for the key of the vault.");
  }

  async #load(file: VaultFile, signal: AbortSignal): Promise<KeySet> {
    const place = this.place(file.keyPlace);
    const text = await place.load(signal);
    if (text === undefined) throw lost(`There is no key in ${place.title}`);
    const keys = readKeySet(text, place.title);
    this.#loaded = keys;
    return keys;
  }

  async #store(place: KeyPlace, keys: KeySet, signal: AbortSignal): Promise<void> {
    await place.store(writeKeySet(keys), signal);
    this.#loaded = keys;
  }

  async #requireFile(): Promise<VaultFile> {
    const file = await this.facts();
    if (file !== undefined) return file;
    throw lost("The vault's own file is gone");
  }

  #lock(signal: AbortSignal): Promise<FileLock> {
    return lockFile(this.#lockFile, { how: "exclusive", signal });
  }
}

function lost(why: string): CattlegridError {
  return new CattlegridError("VAULT_KEY_LOST", `${why}, so what is in the vault cannot be read.`);
}
