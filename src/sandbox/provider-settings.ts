import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { CattlegridError } from "../errors/error.ts";
import { replaceFile } from "../platform/replaced-file.ts";
import type { ProviderSetting } from "../protocol/provider.ts";
import type { ShownSetting } from "./provider.ts";

/** Reads a secret of the vault by its name. */
export type ReadKept = (name: string) => Promise<string | undefined>;

/** What a caller says of one provider, by the names of variables. */
export interface SettingsStatement {
  values: Readonly<Record<string, string>>;
  /** The vault's names of secrets that have other names than their variables. */
  secrets?: Readonly<Record<string, string>> | undefined;
  /** Where each of them was said. Default: the calling shell. */
  origins?: Readonly<Record<string, string>> | undefined;
}

export interface ProviderSettingsOptions {
  /** What each provider declares, by its id. */
  declared: ReadonlyMap<string, readonly ProviderSetting[]>;
  /** Of the engine's own process, which counts where no caller says anything. Default: nothing. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Where it is kept what a provider was last used with. Default: nowhere. */
  fileOf?(providerId: string): string;
}

type Said = { value: string; origin: string } | { secret: string; origin: string };
type Statement = ReadonlyMap<string, Said>;

const VAULT = "the vault";

/**
 * What sandbox providers are told of their accounts and machines: each setting comes from the caller's shell or configuration, or is
 * the vault's secret of the variable's name. A caller's word is whole: what it does not say is at its default, but a secret
 * stays for as long as all the rest does.
 *
 * SECURITY: a secret that a caller gives is in this memory alone, until the engine ends; no file, answer, event or log has it. Two
 * places that say different things are refused, so that nobody works with an account or a machine that he does not mean, and
 * no key goes to an address that it was not given with. What is no secret is kept on disk, for the engine that cleans up after this one.
 */
export class ProviderSettings {
  readonly #options: ProviderSettingsOptions;
  readonly #said = new Map<string, Statement>();
  readonly #remembered = new Map<string, string>();
  #readKept: ReadKept = async () => undefined;

  constructor(options: ProviderSettingsOptions) {
    this.#options = options;
  }

  /** The vault belongs to the engine, which is made after its providers. */
  bind(readKept: ReadKept): void {
    this.#readKept = readKept;
  }

  declaredOf(id: string): readonly ProviderSetting[] {
    return this.#options.declared.get(id) ?? [];
  }

  /**
   * Takes what a caller says. `isInUse`: whether sandboxes of the provider run. Throws REQUEST_INVALID, SECRET_NOT_FOUND for a
   * secret that the vault does not have, and PROVIDER_SETTING_AMBIGUOUS for a value that is not the one which is kept or in use.
   */
  async give(id: string, statement: SettingsStatement, isInUse: boolean): Promise<void> {
    const before = this.#statementOf(id);
    const stated = new Map([...this.#ofEnvironment(id), ...this.#readStatement(id, statement)]);
    for (const [variable, said] of stated) await this.#checkVault(variable, said);
    const changed = await this.#findChanged(id, before, stated);
    const [first] = changed;
    if (isInUse && first !== undefined) throw inUse(first, stated.get(first)?.origin);
    const isSame = changed.every((name) => this.#isSecret(id, name));
    const kept = isSame ? [...before].filter(([name]) => this.#isSecret(id, name)) : [];
    this.#said.set(id, new Map([...kept, ...stated]));
  }

  /** Variables that would count otherwise than they do. A secret that nobody had, or that is not said again, is none of them. */
  async #findChanged(id: string, before: Statement, stated: Statement): Promise<readonly string[]> {
    const changed: string[] = [];
    for (const { variable, isSecret = false } of this.declaredOf(id)) {
      const [was, is] = [before.get(variable), stated.get(variable)];
      if (isSecret && (was === undefined || is === undefined)) continue;
      const [old, next] = [await this.#valueOf(variable, was), await this.#valueOf(variable, is)];
      if (old !== next) changed.push(variable);
    }
    return changed;
  }

  /** Throws PROVIDER_SETTING_AMBIGUOUS when the vault has come to say something else than the caller did. */
  async read(id: string, variable: string): Promise<string | undefined> {
    const said = this.#statementOf(id).get(variable);
    if (said !== undefined) await this.#checkVault(variable, said);
    return this.#valueOf(variable, said);
  }

  /** Everything that is said of a provider, and where. */
  async show(id: string): Promise<readonly ShownSetting[]> {
    const shown: ShownSetting[] = [];
    for (const { key, variable, isSecret } of this.declaredOf(id)) {
      const said = this.#statementOf(id).get(variable);
      const value = await this.#valueOf(variable, said);
      if (value === undefined) continue;
      const origin = said?.origin ?? `${VAULT}'s ${variable}`;
      shown.push(isSecret === true ? { key, origin } : { key, value, origin });
    }
    return shown;
  }

  /** Keeps what counts now; called before anything is made with it. */
  async remember(id: string): Promise<void> {
    const said = [...this.#statementOf(id)];
    const kept = said.filter(([name, each]) => "secret" in each || !this.#isSecret(id, name));
    const text = `${JSON.stringify(Object.fromEntries(kept), undefined, 2)}\n`;
    const path = this.#options.fileOf?.(id);
    if (path === undefined || this.#remembered.get(id) === text) return;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, text, `${path}.${randomUUID()}`);
    this.#remembered.set(id, text);
  }

  #statementOf(id: string): Statement {
    const found = this.#said.get(id);
    if (found !== undefined) return found;
    const first = new Map([...this.#recall(id), ...this.#ofEnvironment(id)]);
    this.#said.set(id, first);
    return first;
  }

  #ofEnvironment(id: string): Statement {
    const { environment = {} } = this.#options;
    const said = this.declaredOf(id).flatMap(({ variable }) => {
      const value = environment[variable];
      return value === undefined || value === ""
        ? []
        : [[variable, { value, origin: `${variable} of the daemon` }] as const];
    });
    return new Map(said);
  }

  /** What an earlier engine was last told. One that cannot be read is none: the next caller says it again. */
  #recall(id: string): Statement {
    const names = this.declaredOf(id).map(({ variable }) => variable);
    const path = this.#options.fileOf?.(id);
    if (path === undefined || names.length === 0) return new Map();
    let read: unknown;
    try {
      read = JSON.parse(readFileSync(path, "utf8"));
    } catch {
      return new Map();
    }
    const entries = Object.entries((read ?? {}) as Record<string, Said>);
    return new Map(entries.filter(([name, said]) => names.includes(name) && isSaid(said)));
  }

  #readStatement(id: string, { values, secrets = {}, origins = {} }: SettingsStatement): Statement {
    const said = new Map<string, Said>();
    for (const [variable, value] of Object.entries(values)) {
      said.set(variable, { value, origin: origins[variable] ?? variable });
    }
    for (const [variable, secret] of Object.entries(secrets)) {
      said.set(variable, { secret, origin: origins[variable] ?? `${VAULT}'s ${secret}` });
    }
    const names = this.declaredOf(id).map(({ variable }) => variable);
    const unknown = [...said.keys()].find((name) => !names.includes(name));
    if (unknown === undefined) return said;
    const message = `${unknown} is no variable of the sandbox provider ${id}.`;
    throw new CattlegridError("REQUEST_INVALID", message, {
      hint: names.length === 0 ? "It has none." : `It has ${names.join(", ")}.`,
    });
  }

  async #checkVault(variable: string, said: Said): Promise<void> {
    const value = await this.#valueOf(variable, said);
    if ("secret" in said && value === undefined) {
      const message = `${said.origin} names the secret ${said.secret}, which the vault does not have, or only refers to.`;
      throw new CattlegridError("SECRET_NOT_FOUND", message, {
        hint: `Give it with \`cattlegrid secret set ${said.secret}\`.`,
      });
    }
    const kept = await this.#readKept(variable);
    if (kept === undefined || kept === value) return;
    const message = `${said.origin} is not the only one: ${VAULT} has another value as ${variable}.`;
    throw new CattlegridError("PROVIDER_SETTING_AMBIGUOUS", message, {
      hint: `Take back what ${said.origin} says, or \`cattlegrid secret rm ${variable}\`.`,
    });
  }

  async #valueOf(variable: string, said: Said | undefined): Promise<string | undefined> {
    if (said === undefined) return this.#readKept(variable);
    return "value" in said ? said.value : this.#readKept(said.secret);
  }

  #isSecret(id: string, variable: string): boolean {
    return this.declaredOf(id).some((each) => each.variable === variable && each.isSecret === true);
  }
}

function isSaid(said: unknown): said is Said {
  const { value, secret, origin } = (said ?? {}) as Record<string, unknown>;
  return typeof origin === "string" && [value, secret].some((each) => typeof each === "string");
}

function inUse(variable: string, origin: string | undefined): CattlegridError {
  const what =
    origin === undefined ? `Nobody here says ${variable}` : `${origin} is not the only one`;
  const message = `${what}: sandboxes of this provider run that were made with another ${variable}.`;
  return new CattlegridError("PROVIDER_SETTING_AMBIGUOUS", message, {
    hint: "Stop those sandboxes first (`cattlegrid ls`), or say the same as they were made with.",
  });
}
