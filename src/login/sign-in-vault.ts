/** Where sign-ins are kept, encrypted; the part of a vault that login profiles stand on. */
export interface SignInVault {
  /** Undefined when there is nothing of that name. */
  read(name: `login/${string}`, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /**
   * Reads and changes one value while nobody else, in no process, can write it. Null removes what is there, undefined
   * leaves it as it is; whoever fails in `change` changes nothing.
   */
  update(
    name: `login/${string}`,
    change: (current: Uint8Array | undefined) => Promise<Uint8Array | null | undefined>,
    signal: AbortSignal,
  ): Promise<void>;
  list(): Promise<readonly { name: string }[]>;
}
