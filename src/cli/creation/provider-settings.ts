import { CattlegridError } from "../../errors/error.ts";
import type { ProviderList, ProviderSummary } from "../../protocol/provider.ts";
import type { Api } from "../api.ts";
import type { Caller } from "../caller.ts";
import { checkConfigured } from "./configured-providers.ts";
import { describeStatement, type Sources } from "./provider-statement.ts";
import { readSettings } from "../settings.ts";

/**
 * Tells the daemon what this caller says of a sandbox provider, such as the key of its service. Every provider that a
 * configuration file speaks of is checked, this one or not. Throws CONFIG_INVALID at the place in that file, and
 * PROVIDER_SETTING_AMBIGUOUS where the shell and a file, or somebody else's sandboxes, say something else.
 */
export async function giveSettings(
  api: Api,
  provider: string | undefined,
  sources: Sources,
): Promise<void> {
  const isConfigured = Object.keys(sources.settings.providers).length > 0;
  if (provider === undefined && !isConfigured) return;
  const { providers } = await api.get<ProviderList>("/v1/providers");
  checkConfigured(sources.settings.providers, providers);
  const known = providers.find(({ id }) => id === provider);
  if (known !== undefined) await give(api, known, sources);
}

/**
 * The same for every provider, for who looks at all of them, or does not know which one it will be; resolves with what was
 * wrong, by the provider's id.
 */
export async function giveAllSettings(
  api: Api,
  sources: Sources,
): Promise<ReadonlyMap<string, CattlegridError>> {
  const { providers } = await api.get<ProviderList>("/v1/providers");
  checkConfigured(sources.settings.providers, providers);
  const wrong = new Map<string, CattlegridError>();
  for (const provider of providers) {
    try {
      await give(api, provider, sources);
    } catch (error) {
      if (!CattlegridError.is(error) || error.code === "INTERRUPTED") throw error;
      wrong.set(provider.id, error);
    }
  }
  return wrong;
}

/** Nothing is asked of a provider that takes nothing, nor of a daemon that knows of none. */
async function give(api: Api, provider: ProviderSummary, sources: Sources): Promise<void> {
  if ((provider.variables ?? []).length === 0) return;
  const statement = describeStatement(provider, sources);
  await api.put(`/v1/providers/${provider.id}/variables`, statement);
}

/** What a provider said that it lacks, and the caller has; undefined when that is nothing. */
export async function answerLack(
  { code, details }: CattlegridError,
  caller: Pick<Caller, "environment" | "paths">,
): Promise<((api: Api) => Promise<void>) | undefined> {
  const { provider } = details;
  if (code !== "PROVIDER_CREDENTIAL_MISSING" || typeof provider !== "string") return undefined;
  const sources = { environment: caller.environment, settings: await readSettings(caller) };
  return (api) => giveSettings(api, provider, sources);
}
