import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import type { Secret, SecretList, SecretSet, VaultRotated } from "../../protocol/secret.ts";
import type { Api } from "../api.ts";
import { usage } from "../arguments.ts";
import { tell } from "../caller.ts";
import { forEachName } from "../names.ts";
import type { VerbContext } from "../verb.ts";
import { type BindingWish, chooseBindings } from "./binding-choice.ts";
import { describeKey, describeUse } from "./secret-text.ts";

export function secretPath(name: string, rest = ""): string {
  if (name === "") throw new CattlegridError("SECRET_INVALID", "The name of a secret is empty.");
  return `/v1/secrets/${encodeURIComponent(name)}${rest}`;
}

/** Keeps a secret, and binds it as the wish says or as its name does. */
export async function keepSecret(
  wish: BindingWish,
  source: SecretSet,
  context: VerbContext,
): Promise<Secret> {
  const { api, caller } = context;
  // What is wrong with the wish is told before anything is kept.
  const bindings = chooseBindings(wish, await listAgents(api));
  const { key } = await api.get<SecretList>("/v1/secrets");
  let secret = await api.put<Secret>(secretPath(wish.name), source);
  for (const binding of bindings) {
    secret = await api.post<Secret>(secretPath(wish.name, "/bindings"), binding);
  }
  tell(caller, `cattlegrid: ${wish.name} is kept${describeGiven(secret)}`);
  // The first one made the key: where it came to lie is not to be found out later.
  if (key.place === "none")
    tell(caller, describeKey((await api.get<SecretList>("/v1/secrets")).key));
  return secret;
}

function describeGiven(secret: Secret): string {
  const use = describeUse(secret);
  if (use !== "") return `, for ${use}.`;
  return `; no agent is given it (\`cattlegrid secret bind ${secret.name} --for AGENT\`).`;
}

export async function bindSecret(wish: BindingWish, { api, caller }: VerbContext): Promise<Secret> {
  const bindings = chooseBindings(wish, await listAgents(api));
  if (bindings.length === 0) {
    const message = `Say which agent is to have ${wish.name}, with --for AGENT.`;
    throw usage("secret", message);
  }
  let secret: Secret | undefined;
  for (const binding of bindings) {
    secret = await api.post<Secret>(secretPath(wish.name, "/bindings"), binding);
  }
  if (secret === undefined) throw new CattlegridError("INTERNAL", "a binding without an answer");
  tell(caller, `cattlegrid: ${wish.name} is for ${describeUse(secret)}.`);
  return secret;
}

export async function unbindSecret(
  wish: BindingWish,
  { api, caller }: VerbContext,
): Promise<number> {
  const agents = wish.agents.length === 0 ? [undefined] : wish.agents;
  for (const agent of agents) {
    const query = new URLSearchParams({
      ...(agent === undefined ? {} : { agent }),
      ...(wish.variable === undefined ? {} : { variable: wish.variable }),
    }).toString();
    await api.delete(secretPath(wish.name, `/bindings${query === "" ? "" : `?${query}`}`));
  }
  tell(caller, `cattlegrid: the binding of ${wish.name} is taken back.`);
  return 0;
}

export function removeSecrets(
  names: readonly string[],
  { api, caller }: VerbContext,
): Promise<number> {
  return forEachName(names, caller, async (name) => {
    await api.delete(secretPath(name));
    tell(caller, `cattlegrid: ${name} is removed from the vault.`);
  });
}

export async function rotateVault(
  keyPlace: string | undefined,
  { api, caller }: VerbContext,
): Promise<VaultRotated> {
  const wanted = keyPlace === undefined ? {} : { keyPlace };
  const rotated = await api.post<VaultRotated>("/v1/vault/rotate", wanted);
  const { sealed, left, key } = rotated;
  const what = sealed === 1 ? "1 value is" : `${sealed} values are`;
  tell(caller, `cattlegrid: ${what} sealed with a new key. ${describeKey(key)}`);
  for (const name of left) tell(caller, `cattlegrid: ${name} cannot be read, and stays as it is.`);
  return rotated;
}

async function listAgents(api: Api): Promise<readonly AgentSummary[]> {
  return (await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents")).agents;
}
