import { CattlegridError } from "../errors/error.ts";
import { entryNameOf, placeOfEntry, type ProfilePlace } from "./profile-name.ts";
import type { SignInParts } from "./sign-in-parts.ts";
import type { SignInVault } from "./sign-in-vault.ts";
import { decodeStored, encodeStored, type StoredSignIn } from "./stored-sign-in.ts";

/** Renewed this long before it ends, so that the running agents never see it end. */
const RENEWED_BEFORE_MS = 5 * 60_000;

export interface ProfilesOptions {
  vault: SignInVault;
  now(): Date;
}

/** What a renewal came to: the new sign-in, or that the agent's service refuses the old one. */
export type Renewal = SignInParts | "refused";

export interface LoginProfiles {
  /** Sorted by agent and name. */
  places(owner: string): Promise<readonly ProfilePlace[]>;
  get(place: ProfilePlace, signal: AbortSignal): Promise<StoredSignIn | undefined>;
  /** Takes the place of what is there. `unless` that is still one to work with. */
  keep(place: ProfilePlace, kept: Keeping, signal: AbortSignal): Promise<StoredSignIn>;
  /** False when there was none. */
  remove(place: ProfilePlace, signal: AbortSignal): Promise<boolean>;
  /**
   * The sign-in as it can be used now, renewed when its end is near. Only one renews it, in whatever process; whoever asks
   * meanwhile waits and has the new one. Undefined when there is none.
   */
  fresh(
    place: ProfilePlace,
    how: RenewalWay,
    signal: AbortSignal,
  ): Promise<StoredSignIn | undefined>;
  /** Takes over files that an agent renewed by itself, if the sign-in is still of that revision; undefined if not. */
  takeBack(
    place: ProfilePlace,
    renewed: { revision: number; parts: SignInParts },
    signal: AbortSignal,
  ): Promise<StoredSignIn | undefined>;
  /** When `fresh` would renew it. */
  renewsAt(stored: StoredSignIn): Date | undefined;
}

export interface RenewalWay {
  renew(stored: StoredSignIn): Promise<Renewal>;
  /** A revision that the agent's service has refused: it is renewed before its time. */
  doubted?: number | undefined;
}

export interface Keeping {
  parts: SignInParts;
  account: string | null;
  regions?: readonly string[] | undefined;
}

export function createLoginProfiles(options: ProfilesOptions): LoginProfiles {
  return new VaultProfiles(options);
}

class VaultProfiles implements LoginProfiles {
  readonly #vault: SignInVault;
  readonly #now: () => Date;

  constructor({ vault, now }: ProfilesOptions) {
    this.#vault = vault;
    this.#now = now;
  }

  async places(owner: string): Promise<readonly ProfilePlace[]> {
    const names = (await this.#vault.list()).map(({ name }) => name);
    return names.toSorted().flatMap((name) => placeOfEntry(name, owner) ?? []);
  }

  async get(place: ProfilePlace, signal: AbortSignal): Promise<StoredSignIn | undefined> {
    const bytes = await this.#vault.read(entryNameOf(place), signal);
    return bytes === undefined ? undefined : decodeStored(bytes, place);
  }

  async keep(
    place: ProfilePlace,
    { parts, account, regions }: Keeping,
    signal: AbortSignal,
  ): Promise<StoredSignIn> {
    let kept: StoredSignIn | undefined;
    await this.#change(place, signal, async (current) => {
      const told = { account, ...(regions && { regions: [...regions] }) };
      kept = { form: 1, ...place, ...told, ...this.#next(current), ...parts };
      return kept;
    });
    if (kept !== undefined) return kept;
    throw new CattlegridError("INTERNAL", "The vault kept nothing.");
  }

  async remove(place: ProfilePlace, signal: AbortSignal): Promise<boolean> {
    let removed = false;
    // Not read: what cannot be read has to be removable too.
    await this.#vault.update(
      entryNameOf(place),
      async (current) => {
        removed = current !== undefined;
        return null;
      },
      signal,
    );
    return removed;
  }

  async fresh(
    place: ProfilePlace,
    { renew, doubted }: RenewalWay,
    signal: AbortSignal,
  ): Promise<StoredSignIn | undefined> {
    const found = await this.get(place, signal);
    if (found === undefined || !this.#isDue(found, doubted)) return found;
    let fresh: StoredSignIn | undefined;
    await this.#change(place, signal, async (current) => {
      fresh = current;
      // Somebody else was quicker, or it was removed meanwhile.
      if (current === undefined || !this.#isDue(current, doubted)) return undefined;
      const renewal = await this.#try(current, renew);
      if (renewal === undefined) return undefined;
      const { revision, savedAt } = this.#next(current);
      fresh =
        renewal === "refused"
          ? { ...current, revision, refusedAt: savedAt }
          : { ...current, ...renewal, revision, savedAt };
      return fresh;
    });
    return fresh;
  }

  /** One that cannot be renewed now is used as long as it lasts; undefined then. */
  async #try(
    current: StoredSignIn,
    renew: (stored: StoredSignIn) => Promise<Renewal>,
  ): Promise<Renewal | undefined> {
    try {
      return await renew(current);
    } catch (error) {
      const endMs = Date.parse(current.expiresAt ?? "");
      const lasts = endMs > this.#now().getTime();
      if (lasts && CattlegridError.is(error, "SIGN_IN_RENEWAL_FAILED")) return undefined;
      throw error;
    }
  }

  async takeBack(
    place: ProfilePlace,
    { revision, parts }: { revision: number; parts: SignInParts },
    signal: AbortSignal,
  ): Promise<StoredSignIn | undefined> {
    let taken: StoredSignIn | undefined;
    await this.#change(place, signal, async (current) => {
      if (current?.revision !== revision) return undefined;
      taken = { ...current, ...parts, ...this.#next(current) };
      return taken;
    });
    return taken;
  }

  renewsAt({ expiresAt, savedAt, refusedAt }: StoredSignIn): Date | undefined {
    if (expiresAt === undefined || refusedAt !== undefined) return undefined;
    const endMs = Date.parse(expiresAt);
    // Of a short life, at half of it: else it would be renewed again as soon as it was.
    const lifeMs = Math.max(0, endMs - Date.parse(savedAt));
    return new Date(endMs - Math.min(RENEWED_BEFORE_MS, lifeMs / 2));
  }

  #isDue(stored: StoredSignIn, doubted?: number): boolean {
    if (stored.refusedAt === undefined && stored.revision === doubted) return true;
    const at = this.renewsAt(stored);
    return at !== undefined && at <= this.#now();
  }

  /** Also grows over a removal in between: whoever still has a copy of before must not take it for today's. */
  #next(current: StoredSignIn | undefined): { revision: number; savedAt: string } {
    const now = this.#now();
    const revision = Math.max((current?.revision ?? 0) + 1, now.getTime());
    return { revision, savedAt: now.toISOString() };
  }

  async #change(
    place: ProfilePlace,
    signal: AbortSignal,
    change: (current: StoredSignIn | undefined) => Promise<StoredSignIn | undefined>,
  ): Promise<void> {
    await this.#vault.update(
      entryNameOf(place),
      async (bytes) => {
        const current = bytes === undefined ? undefined : decodeStored(bytes, place);
        const changed = await change(current);
        return changed === undefined ? undefined : encodeStored(changed);
      },
      signal,
    );
  }
}
