import { formatAddress, parseRange, rangeContains, type Address } from "../address.ts";
import type { HostName } from "../host-name.ts";

/** Names of one sandbox that have an address at the same time. */
export const NAMES_MAX = 4096;

const FIRST = 0xc612_0001n;
const COUNT = 0x1_fffen;
const RANGE = parseRange("198.18.0.0/15");

/**
 * Which address of ours stands for which name in one sandbox. A name keeps its address while it is in use;
 * the whole range is walked before an address comes to stand for another name.
 */
export class SyntheticAddresses {
  readonly #byName = new Map<HostName, bigint>();
  readonly #byAddress = new Map<bigint, HostName>();
  readonly #isInUse: (name: HostName) => boolean;
  readonly #capacity: number;
  #next = 0n;

  constructor(isInUse: (name: HostName) => boolean, capacity = NAMES_MAX) {
    this.#isInUse = isInUse;
    this.#capacity = capacity;
  }

  /** The name's address; undefined when every place is taken by a name with open connections. */
  assign(name: HostName): string | undefined {
    const value = this.#byName.get(name) ?? this.#place(name);
    if (value === undefined) return undefined;
    this.#touch(name, value);
    return formatAddress({ family: 4, value });
  }

  has(name: HostName): boolean {
    return this.#byName.has(name);
  }

  find(address: Address): HostName | undefined {
    if (address.family !== 4) return undefined;
    const name = this.#byAddress.get(address.value);
    if (name !== undefined) this.#touch(name, address.value);
    return name;
  }

  #touch(name: HostName, value: bigint): void {
    this.#byName.delete(name);
    this.#byName.set(name, value);
  }

  #place(name: HostName): bigint | undefined {
    if (this.#byName.size >= this.#capacity && !this.#evict()) return undefined;
    let value = FIRST + this.#next;
    while (this.#byAddress.has(value)) {
      this.#next = (this.#next + 1n) % COUNT;
      value = FIRST + this.#next;
    }
    this.#next = (this.#next + 1n) % COUNT;
    this.#byAddress.set(value, name);
    return value;
  }

  #evict(): boolean {
    for (const [name, value] of this.#byName) {
      if (this.#isInUse(name)) continue;
      this.#byName.delete(name);
      this.#byAddress.delete(value);
      return true;
    }
    return false;
  }
}

export function isSynthetic(address: Address): boolean {
  return RANGE !== undefined && rangeContains(RANGE, address);
}
