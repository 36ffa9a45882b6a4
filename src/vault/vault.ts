import { join } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { lockFile } from "../platform/file-lock.ts";
import { createKeyFile } from "./key-file.ts";
import type { KeyPlace, KeyPlaceId } from "./key-place.ts";
import { createKeyring } from "./keyring.ts";
import { VaultKeys } from "./keys.ts";
import type { VaultKind, VaultName } from "./name.ts";
import { SealedFiles } from "./sealed-files.ts";
import { readHeader, seal, unseal } from "./sealed-value.ts";

/** A sign-in with its files is the largest thing that is kept. */
export const VALUE_BYTES_MAX = 64 * 1024 * 1024;

export interface VaultEntry {
  name: VaultName;
  kind: VaultKind;
  /** Of the value. */
  bytes: number;
  changedAt: string;
  /** Why it cannot be read, where that shows without the key. */
  problem?: CattlegridError;
}

export interface VaultKeyFacts {
  /** `none`: nothing was ever kept. */
  place: KeyPlaceId | "none";
  /** For people: the path of the file, or which keyring. */
  title: string;
  /** Values that an interrupted rotation left under an earlier key. */
  underEarlierKeys: number;
}

export interface Rotation {
  /** How many values were sealed anew. */
  sealed: number;
  /** Those that could not be read. */
  left: readonly VaultName[];
}

/** The new value; null removes what is there, undefined leaves it as it is. */
export type VaultChange = Uint8Array | null | undefined;

/**
 * Values of this user, encrypted at rest. Several processes may use one vault: what one has written, the next read of
 * another sees. Every call throws VAULT_TOO_NEW for a vault of a later program, VAULT_KEY_LOST and
 * VAULT_KEY_UNAVAILABLE when there is no key to be had, VAULT_CORRUPT for what was tampered with, and SECRET_INVALID
 * for a name or a value that it does not take.
 */
export interface Vault {
  /** Undefined when there is nothing of that name. */
  read(name: VaultName, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Replaces what is there; on the disk when this resolves. Waits for an `update` of the same name. */
  write(name: VaultName, value: Uint8Array, signal: AbortSignal): Promise<void>;
  /** False when there was nothing. Needs no key. */
  remove(name: VaultName, signal: AbortSignal): Promise<boolean>;
  /**
   * Reads and changes one value while nobody else, in no process, can write it. `change` may take its time, and must not
   * write the same name by another way. Whoever fails in it changes nothing.
   */
  update(
    name: VaultName,
    change: (current: Uint8Array | undefined) => Promise<VaultChange>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Without any key. Sorted by kind and name. */
  list(): Promise<readonly VaultEntry[]>;
  describeKey(): Promise<VaultKeyFacts>;
  /** Throws VAULT_KEY_LOST or VAULT_KEY_UNAVAILABLE unless the key that seals can be had, if there is one. */
  checkKey(signal: AbortSignal): Promise<void>;
  /**
   * Seals everything with a new key, kept in `place`, or where the best place is. Nothing is lost whenever it is
   * interrupted; the next rotation finishes it. What cannot be read stays as it is, and its key is kept.
   */
  rotate(place: KeyPlaceId | undefined, signal: AbortSignal): Promise<Rotation>;
  /** Takes the key away for good. */
  destroy(signal: AbortSignal): Promise<void>;
}

export interface VaultOptions {
  /** Its own directory, which is made with the first value. */
  directory: string;
  places: readonly KeyPlace[];
  now?(): Date;
}

/** The places for a key on this machine, the best first. */
export function findKeyPlaces(directory: string, installation: string): readonly KeyPlace[] {
  return [createKeyring({ installation }), createKeyFile(join(directory, "key"))];
}

export function createVault(options: VaultOptions): Vault {
  return new SealedVault(options);
}

class SealedVault implements Vault {
  readonly #files: SealedFiles;
  readonly #keys: VaultKeys;
  readonly #now: () => Date;

  constructor({ directory, places, now = () => new Date() }: VaultOptions) {
    this.#files = new SealedFiles(directory);
    this.#now = now;
    const hasEntries = async (): Promise<boolean> => (await this.#files.names()).length > 0;
    this.#keys = new VaultKeys({ directory, places, hasEntries });
  }

  async read(name: VaultName, signal: AbortSignal): Promise<Uint8Array | undefined> {
    // Throws for a vault of a later program, even where there is nothing of that name.
    await this.#keys.facts();
    const sealed = await this.#files.read(name);
    if (sealed === undefined) return undefined;
    return unseal(sealed, name, await this.#keys.find(readHeader(sealed, name).keyId, signal));
  }

  async write(name: VaultName, value: Uint8Array, signal: AbortSignal): Promise<void> {
    checkSize(name, value);
    await this.#files.open();
    await using _lock = await this.#lock(name, signal);
    await this.#seal({ name, value }, signal);
  }

  async remove(name: VaultName, signal: AbortSignal): Promise<boolean> {
    await this.#keys.facts();
    await this.#files.open();
    await using lock = await this.#lock(name, signal);
    const removed = await this.#files.remove(name);
    await lock.removeFile();
    return removed;
  }

  async update(
    name: VaultName,
    change: (current: Uint8Array | undefined) => Promise<VaultChange>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#files.open();
    await using _lock = await this.#lock(name, signal);
    const changed = await change(await this.read(name, signal));
    if (changed === null) await this.#files.remove(name);
    else if (changed !== undefined) {
      checkSize(name, changed);
      await this.#seal({ name, value: changed }, signal);
    }
  }

  async list(): Promise<readonly VaultEntry[]> {
    const names = await this.#files.names();
    const entries = await Promise.all(names.map((name) => this.#describe(name)));
    return entries.filter((entry) => entry !== undefined);
  }

  async describeKey(): Promise<VaultKeyFacts> {
    const file = await this.#keys.facts();
    if (file === undefined) return { place: "none", title: "none yet", underEarlierKeys: 0 };
    const { title } = this.#keys.place(file.keyPlace);
    const earlier = await this.#underOtherKeys(file.currentKey);
    return { place: file.keyPlace, title, underEarlierKeys: earlier.length };
  }

  async checkKey(signal: AbortSignal): Promise<void> {
    const file = await this.#keys.facts();
    if (file !== undefined) await this.#keys.find(file.currentKey, signal);
  }

  async rotate(place: KeyPlaceId | undefined, signal: AbortSignal): Promise<Rotation> {
    await this.#files.open();
    const current = await this.#keys.begin(place, signal);
    const left: VaultName[] = [];
    let sealed = 0;
    for (const name of await this.#underOtherKeys(current)) {
      if (await this.#sealAnew(name, signal)) sealed++;
      else left.push(name);
    }
    // Another rotation may have begun meanwhile: then it is that one which forgets the earlier keys.
    await this.#keys.finish(async (key) => (await this.#underOtherKeys(key)).length === 0, signal);
    return { sealed, left };
  }

  destroy(signal: AbortSignal): Promise<void> {
    return this.#keys.destroy(signal);
  }

  async #sealAnew(name: VaultName, signal: AbortSignal): Promise<boolean> {
    await using _lock = await this.#lock(name, signal);
    try {
      const value = await this.read(name, signal);
      const entry = await this.#files.look(name);
      if (value !== undefined && entry !== undefined) {
        await this.#seal({ name, value, changedAtMs: entry.changedAtMs }, signal);
      }
      return true;
    } catch (error) {
      if (CattlegridError.is(error, "VAULT_CORRUPT")) return false;
      if (CattlegridError.is(error, "VAULT_KEY_LOST")) return false;
      throw error;
    }
  }

  async #seal({ name, value, changedAtMs }: Sealed, signal: AbortSignal): Promise<void> {
    await using held = await this.#keys.hold(signal);
    const time = changedAtMs ?? this.#now().getTime();
    await this.#files.write(name, seal(value, { name, key: held.key, changedAtMs: time }));
  }

  async #describe(name: VaultName): Promise<VaultEntry | undefined> {
    try {
      const found = await this.#files.look(name);
      if (found === undefined) return undefined;
      const { kind, bytes, changedAtMs } = found;
      return { name, kind, bytes, changedAt: new Date(changedAtMs).toISOString() };
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      const kind = name.slice(0, name.indexOf("/")) as VaultKind;
      return { name, kind, bytes: 0, changedAt: new Date(0).toISOString(), problem: error };
    }
  }

  /** What cannot be read is no reason to keep an earlier key: no key opens it. */
  async #underOtherKeys(keyId: string): Promise<readonly VaultName[]> {
    const names: VaultName[] = [];
    for (const name of await this.#files.names()) {
      try {
        const found = await this.#files.look(name);
        if (found !== undefined && found.keyId !== keyId) names.push(name);
      } catch (error) {
        if (!CattlegridError.is(error, "VAULT_CORRUPT")) throw error;
      }
    }
    return names;
  }

  #lock(name: VaultName, signal: AbortSignal) {
    return lockFile(this.#files.lockPath(name), { how: "exclusive", signal });
  }
}

interface Sealed {
  name: VaultName;
  value: Uint8Array;
  /** Default: now. */
  changedAtMs?: number;
}

function checkSize(name: VaultName, { length }: Uint8Array): void {
  if (length <= VALUE_BYTES_MAX) return;
  const message = `The value of ${name} has ${length} bytes; the vault takes up to ${VALUE_BYTES_MAX}.`;
  throw new CattlegridError("SECRET_INVALID", message);
}
