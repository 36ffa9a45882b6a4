import { CattlegridError } from "../errors/error.ts";

/** What a value may have at most; keys and addresses have far less. */
export const VARIABLE_BYTES_MAX = 4096;

/** Reads a secret of the vault by its name. */
export type ReadKept = (name: string) => Promise<string | undefined>;

/**
 * What sandbox providers are told of their accounts: keys, addresses, regions, by the names of variables that each declares.
 * The vault's secret of that name counts, or what a caller's shell has.
 *
 * SECURITY: what a caller gives is in this memory alone, until the engine ends; no file, answer, event or log has it. Two
 * places that say different things are refused, so that nobody works with an account that he does not mean.
 */
export class ProviderVariables {
  readonly #names: ReadonlyMap<string, readonly string[]>;
  readonly #given = new Map<string, Readonly<Record<string, string>>>();
  #readKept: ReadKept = async () => undefined;

  /** `names`: by the provider's id. */
  constructor(names: ReadonlyMap<string, readonly string[]>) {
    this.#names = names;
  }

  /** The vault belongs to the engine, which is made after its providers. */
  bind(readKept: ReadKept): void {
    this.#readKept = readKept;
  }

  namesOf(id: string): readonly string[] {
    return this.#names.get(id) ?? [];
  }

  /**
   * Takes what a caller's shell has; what it does not have stays as it is. `isInUse`: whether sandboxes of the provider run.
   * Throws REQUEST_INVALID, and PROVIDER_CREDENTIAL_AMBIGUOUS for a value that is not the one which is kept or in use.
   */
  async give(
    id: string,
    values: Readonly<Record<string, string>>,
    isInUse: boolean,
  ): Promise<void> {
    const names = this.namesOf(id);
    const before = this.#given.get(id) ?? {};
    for (const [name, value] of Object.entries(values)) {
      if (!names.includes(name)) {
        const message = `${name} is no variable of the sandbox provider ${id}.`;
        throw new CattlegridError("REQUEST_INVALID", message);
      }
      const kept = await this.#readKept(name);
      if (kept !== undefined && kept !== value) throw ambiguous(name, "the vault");
      const used = before[name];
      if (isInUse && used !== undefined && used !== value) throw ambiguous(name, "use");
    }
    this.#given.set(id, { ...before, ...values });
  }

  /** Throws PROVIDER_CREDENTIAL_AMBIGUOUS when the vault has come to say something else than the caller did. */
  async read(id: string, name: string): Promise<string | undefined> {
    const given = this.#given.get(id)?.[name];
    const kept = await this.#readKept(name);
    if (given !== undefined && kept !== undefined && given !== kept) {
      throw ambiguous(name, "the vault");
    }
    return given ?? kept;
  }
}

function ambiguous(name: string, place: "the vault" | "use"): CattlegridError {
  const other =
    place === "use"
      ? "the sandboxes that run were made with another"
      : "the vault has another under this name";
  const message = `${name} of the calling shell is not the only one: ${other}.`;
  const hint =
    place === "use"
      ? `Unset ${name}, or stop the sandboxes of that account first.`
      : `Unset ${name} in the shell, or \`cattlegrid secret rm ${name}\`.`;
  return new CattlegridError("PROVIDER_CREDENTIAL_AMBIGUOUS", message, { hint });
}
