import { CattlegridError } from "../../errors/error.ts";
import type { ProviderSummary } from "../../protocol/provider.ts";
import type { Caller } from "../caller.ts";
import type { ConfiguredValue, Settings } from "../settings.ts";

/** What `PUT /v1/providers/{id}/variables` takes. */
export interface ProviderStatement {
  variables: Record<string, string>;
  secrets?: Record<string, string>;
  origins?: Record<string, string>;
}

/** Where a caller's word on providers is: the shell, and the configuration files. */
export interface Sources {
  environment: Caller["environment"];
  settings: Pick<Settings, "providers">;
}

/** Throws PROVIDER_SETTING_AMBIGUOUS where shell and file differ. */
export function describeStatement(
  { id, variables = [], settings = [] }: ProviderSummary,
  { environment, settings: { providers } }: Sources,
): ProviderStatement {
  const statement: Required<ProviderStatement> = { variables: {}, secrets: {}, origins: {} };
  for (const variable of variables) {
    const inShell = environment[variable] || undefined;
    const setting = settings.find((each) => each.variable === variable);
    const configured = setting && providers[id]?.[setting.key];
    if (configured !== undefined) {
      const value = add(statement, variable, { configured, environment });
      if (inShell !== undefined && inShell !== value) throw ambiguous(variable, configured.place);
    } else if (inShell !== undefined) statement.variables[variable] = inShell;
  }
  return dropEmpty(statement);
}

/** Returns the value, unless the daemon alone knows it. */
function add(
  { variables, secrets, origins }: Required<ProviderStatement>,
  variable: string,
  { configured, environment }: Pick<Sources, "environment"> & { configured: ConfiguredValue },
): string | undefined {
  const { secret, value } = resolve(configured, environment);
  if (secret !== undefined) secrets[variable] = secret;
  else variables[variable] = value;
  origins[variable] = configured.place;
  return value;
}

/** Absent rather than empty: a daemon of before knows no such field. */
function dropEmpty({
  variables,
  secrets,
  origins,
}: Required<ProviderStatement>): ProviderStatement {
  return {
    variables,
    ...(Object.keys(secrets).length === 0 ? {} : { secrets }),
    ...(Object.keys(origins).length === 0 ? {} : { origins }),
  };
}

function resolve(
  { value, place }: ConfiguredValue,
  environment: Caller["environment"],
): { secret: string; value?: undefined } | { secret?: undefined; value: string } {
  if (typeof value === "string") return { value };
  if ("secret" in value) return { secret: value.secret };
  const found = environment[value.env];
  if (found !== undefined && found !== "") return { value: found };
  const message = `${place}: this shell has no variable ${value.env}.`;
  throw new CattlegridError("CONFIG_INVALID", message, {
    hint: `Set ${value.env}, or let \`secret: NAME\` name a secret of \`cattlegrid secret ls\`.`,
  });
}

function ambiguous(variable: string, place: string): CattlegridError {
  const message = `${variable} of this shell and ${place} both say what counts, and not the same.`;
  return new CattlegridError("PROVIDER_SETTING_AMBIGUOUS", message, {
    hint: `Neither wins over the other: unset ${variable}, or change ${place}.`,
  });
}
