import type { AgentRegistry } from "../agent/registry.ts";
import { CattlegridError } from "../errors/error.ts";
import type {
  Bindings,
  Secret,
  SecretBind,
  SecretBinding,
  SecretList,
  SecretSet,
  Unresolved,
} from "../protocol/secret.ts";
import { SECRET_NAME } from "../protocol/secret-limits.ts";
import { findAgent } from "../sandbox/registry.ts";
import type { SecretBindingRepository, SecretBindingRow } from "../store/secret-binding-rows.ts";
import type { Vault, VaultEntry } from "../vault/vault.ts";
import { type BindingLayers, type BoundAgent, resolveBindings } from "./bindings.ts";
import {
  checkSecret,
  readStoredSecret,
  type StoredSecret,
  writeStoredSecret,
} from "./stored-secret.ts";

export interface CollectWish {
  owner: string;
  agent?: BoundAgent;
  layers: Omit<BindingLayers, "user">;
  /** Variables that the caller gives by themselves, which win. */
  given: ReadonlySet<string>;
}

/** One secret of one user. */
export interface SecretPlace {
  owner: string;
  name: string;
}

/** What is left open counts for all. */
export interface SecretUnbind {
  agent?: string | undefined;
  variable?: string | undefined;
}

/** Secrets of users, and which agents are given them. What the vault throws, every call throws. */
export interface Secrets {
  list(owner: string, signal: AbortSignal): Promise<SecretList>;
  /** Throws SECRET_INVALID. */
  set(place: SecretPlace, wanted: SecretSet, signal: AbortSignal): Promise<Secret>;
  /** Together with its bindings. Throws SECRET_NOT_FOUND. */
  remove(place: SecretPlace, signal: AbortSignal): Promise<void>;
  /** Throws SECRET_NOT_FOUND, AGENT_UNKNOWN, and SECRET_INVALID for a variable that no agent declares. */
  bind(place: SecretPlace, wanted: SecretBind, signal: AbortSignal): Promise<Secret>;
  /** Throws SECRET_NOT_FOUND when there was nothing to take back. */
  unbind(place: SecretPlace, wanted: SecretUnbind, signal: AbortSignal): Promise<Secret>;
  /** The variables that an agent takes by one user's bindings, with the secrets' names. */
  boundTo(owner: string, agent: BoundAgent): Promise<Bindings>;
  /** Throws SECRET_NOT_FOUND unless the vault has each of them. */
  require(bindings: Bindings): Promise<void>;
  /**
   * SECURITY: the values for one process tree, by variable; to be handed to it and forgotten. This is the one place at
   * which an agent's value leaves the vault, and where something that stands for it could leave in its stead. Throws SECRET_NOT_FOUND,
   * and SECRET_UNRESOLVED when some are references, which only the caller can follow.
   */
  collect(wish: CollectWish, signal: AbortSignal): Promise<Record<string, string>>;
  /**
   * SECURITY: one value for the engine's own use, such as the key of a sandbox provider's service. Undefined when there is
   * none, and for a reference, which only a caller can follow.
   */
  reveal(name: string, signal: AbortSignal): Promise<string | undefined>;
}

export interface SecretsOptions {
  vault: Vault;
  bindings: SecretBindingRepository;
  agents: AgentRegistry;
}

export function createSecrets(options: SecretsOptions): Secrets {
  return new VaultSecrets(options);
}

class VaultSecrets implements Secrets {
  readonly #vault: Vault;
  readonly #bindings: SecretBindingRepository;
  readonly #agents: AgentRegistry;

  constructor({ vault, bindings, agents }: SecretsOptions) {
    this.#vault = vault;
    this.#bindings = bindings;
    this.#agents = agents;
  }

  async list(owner: string, signal: AbortSignal): Promise<SecretList> {
    const entries = (await this.#vault.list()).filter(({ kind }) => kind === "secret");
    const rows = await this.#bindings.list(owner);
    const secrets: Secret[] = [];
    for (const entry of entries) secrets.push(await this.#show(entry, rows, signal));
    return { secrets, key: await this.#vault.describeKey() };
  }

  async set(place: SecretPlace, wanted: SecretSet, signal: AbortSignal): Promise<Secret> {
    const { name } = place;
    const stored = writeStoredSecret(checkSecret(wanted, checkName(name)));
    await this.#vault.write(`secret/${name}`, stored, signal);
    return this.#get(place, signal);
  }

  async remove(place: SecretPlace, signal: AbortSignal): Promise<void> {
    const { owner, name } = place;
    if (!(await this.#vault.remove(`secret/${checkName(name)}`, signal))) throw unknown(name);
    for (const row of await this.#bindings.list(owner)) {
      if (row.secret === name) await this.#bindings.remove(row);
    }
  }

  async bind(
    place: SecretPlace,
    { agent, variable }: SecretBind,
    signal: AbortSignal,
  ): Promise<Secret> {
    const { owner, name } = place;
    await this.require({ [variable]: checkName(name) });
    if (agent === undefined) this.#checkDeclared(variable);
    else findAgent(this.#agents, agent);
    await this.#bindings.put({ owner, agent: agent ?? "", variable, secret: name });
    return this.#get(place, signal);
  }

  async unbind(
    place: SecretPlace,
    { agent, variable }: SecretUnbind,
    signal: AbortSignal,
  ): Promise<Secret> {
    const { owner, name } = place;
    const found = (await this.#bindings.list(owner)).filter(
      (row) =>
        row.secret === name &&
        (agent === undefined || row.agent === agent) &&
        (variable === undefined || row.variable === variable),
    );
    if (found.length === 0) {
      throw new CattlegridError("SECRET_NOT_FOUND", `${name} has no such binding.`);
    }
    for (const row of found) await this.#bindings.remove(row);
    return this.#get(place, signal);
  }

  async boundTo(owner: string, agent: BoundAgent): Promise<Bindings> {
    return resolveBindings(agent, { user: await this.#bindings.list(owner) });
  }

  async require(bindings: Bindings): Promise<void> {
    const names = new Set((await this.#vault.list()).map(({ name }) => name));
    const missing = Object.values(bindings).find((name) => !names.has(`secret/${name}`));
    if (missing !== undefined) throw unknown(missing);
  }

  async collect(wish: CollectWish, signal: AbortSignal): Promise<Record<string, string>> {
    const { owner, agent, layers, given } = wish;
    const user = agent === undefined ? [] : await this.#bindings.list(owner);
    const bound = Object.entries(resolveBindings(agent, { ...layers, user }));
    const values: Record<string, string> = {};
    const references: Unresolved[] = [];
    for (const [variable, secret] of bound) {
      if (given.has(variable)) continue;
      const stored = await this.#read(secret, signal);
      if (stored === undefined) throw unknown(secret, variable);
      if ("value" in stored) values[variable] = stored.value;
      else references.push({ variable, secret, reference: stored.reference });
    }
    if (references.length > 0) throw unresolved(references);
    return values;
  }

  async reveal(name: string, signal: AbortSignal): Promise<string | undefined> {
    const stored = await this.#read(name, signal);
    return stored !== undefined && "value" in stored ? stored.value : undefined;
  }

  async #get(place: SecretPlace, signal: AbortSignal): Promise<Secret> {
    const entries = await this.#vault.list();
    const entry = entries.find(({ name }) => name === `secret/${place.name}`);
    if (entry === undefined) throw unknown(place.name);
    return this.#show(entry, await this.#bindings.list(place.owner), signal);
  }

  async #show(
    entry: VaultEntry,
    rows: readonly SecretBindingRow[],
    signal: AbortSignal,
  ): Promise<Secret> {
    const name = entry.name.slice("secret/".length);
    const bindings = rows
      .filter(({ secret }) => secret === name)
      .map((row) => this.#showBinding(row));
    return { name, changedAt: entry.changedAt, bindings, ...(await this.#look(name, signal)) };
  }

  #showBinding({ agent, variable }: SecretBindingRow): SecretBinding {
    if (agent !== "") return { agent, variable, agents: [agent] };
    const declaring = this.#agents.list().filter((each) => each.credentials.includes(variable));
    return { variable, agents: declaring.map(({ id }) => id) };
  }

  /** What cannot be read is listed all the same, with the reason. */
  async #look(name: string, signal: AbortSignal): Promise<Pick<Secret, "reference" | "problem">> {
    try {
      const stored = await this.#read(name, signal);
      return stored !== undefined && "reference" in stored ? { reference: stored.reference } : {};
    } catch (error) {
      if (!CattlegridError.is(error)) throw error;
      return { problem: { code: error.code, detail: error.message } };
    }
  }

  async #read(name: string, signal: AbortSignal): Promise<StoredSecret | undefined> {
    const bytes = await this.#vault.read(`secret/${name}`, signal);
    return bytes === undefined ? undefined : readStoredSecret(bytes, name);
  }

  #checkDeclared(variable: string): void {
    const agents = this.#agents.list();
    if (agents.some(({ credentials }) => credentials.includes(variable))) return;
    const message = `No agent declares ${variable} as a credential of its own.`;
    throw new CattlegridError("SECRET_INVALID", message, {
      hint: "Say which agent is to have it: `cattlegrid secret bind NAME --for AGENT --as VARIABLE`.",
    });
  }
}

function checkName(name: string): string {
  if (SECRET_NAME.test(name)) return name;
  throw new CattlegridError("SECRET_INVALID", `${JSON.stringify(name)} is no name of a secret.`);
}

function unknown(name: string, variable?: string): CattlegridError {
  const use = variable === undefined ? "" : `, which ${variable} is to take`;
  return new CattlegridError("SECRET_NOT_FOUND", `There is no secret ${name}${use}.`);
}

function unresolved(references: readonly Unresolved[]): CattlegridError {
  const names = references.map(({ secret }) => secret).join(", ");
  const message = `The value of ${names} has to be got by the caller.`;
  return new CattlegridError("SECRET_UNRESOLVED", message, { details: { references } });
}
