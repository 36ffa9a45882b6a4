/** Where the key of a vault can be kept. */
export type KeyPlaceId = "keyring" | "file";

export interface KeyPlace {
  readonly id: KeyPlaceId;
  /** For people: which keyring, which file. */
  readonly title: string;
  /** Undefined when there is none. Throws VAULT_KEY_UNAVAILABLE when the place does not answer. */
  load(signal: AbortSignal): Promise<string | undefined>;
  /** Replaces what was there; it is on the disk when this resolves. Throws VAULT_KEY_UNAVAILABLE. */
  store(text: string, signal: AbortSignal): Promise<void>;
  /** Idempotent. */
  clear(signal: AbortSignal): Promise<void>;
  /** Why nothing can be kept there; undefined when it was tried and it can. */
  refusal(signal: AbortSignal): Promise<string | undefined>;
}
