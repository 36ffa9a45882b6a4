import type { CattlegridError } from "../../errors/error.ts";
import type { ProviderList } from "../../protocol/provider.ts";
import type { Api } from "../api.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Hands a sandbox provider what it takes from the calling shell, such as the key of its service. Of a provider that takes
 * nothing, and of a daemon that knows of none, nothing is asked.
 */
export async function giveVariables(
  api: Api,
  provider: string,
  environment: Environment,
): Promise<void> {
  const { providers } = await api.get<ProviderList>("/v1/providers");
  const names = providers.find(({ id }) => id === provider)?.variables ?? [];
  const variables = pick(names, environment);
  if (variables === undefined) return;
  await api.put(`/v1/providers/${provider}/variables`, { variables });
}

/** The same for every provider, for who looks at all of them. */
export async function giveAllVariables(api: Api, environment: Environment): Promise<void> {
  const { providers } = await api.get<ProviderList>("/v1/providers");
  for (const { id, variables = [] } of providers) {
    if (variables.length > 0) await giveVariables(api, id, environment);
  }
}

/** What a provider said that it lacks, and the shell has; undefined when that is nothing. */
export function answerLack(
  { code, details }: CattlegridError,
  environment: Environment,
): { provider: string; variables: Record<string, string> } | undefined {
  const { provider, variables: names } = details;
  if (code !== "PROVIDER_CREDENTIAL_MISSING" || typeof provider !== "string") return undefined;
  const variables = pick(Array.isArray(names) ? names.map(String) : [], environment);
  return variables && { provider, variables };
}

function pick(
  names: readonly string[],
  environment: Environment,
): Record<string, string> | undefined {
  const found = names.flatMap((name) => {
    const value = environment[name];
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}
