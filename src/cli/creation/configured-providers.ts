import { CattlegridError } from "../../errors/error.ts";
import { findNearest } from "../../platform/nearest-name.ts";
import type { ProviderSetting, ProviderSummary } from "../../protocol/provider.ts";
import type { ConfiguredValue, Settings } from "../settings.ts";

/** Throws CONFIG_INVALID for a provider, a key or a value that is none. */
export function checkConfigured(
  configured: Settings["providers"],
  known: readonly ProviderSummary[],
): void {
  for (const [id, values] of Object.entries(configured)) {
    const entries = Object.entries(values);
    const first = entries[0]?.[1].place ?? "the configuration";
    const provider = known.find((each) => each.id === id);
    if (provider === undefined) {
      const ids = known.map((each) => each.id);
      throw unknown(id, ids, `${first}: there is no sandbox provider ${quote(id)}`);
    }
    const { settings = [] } = provider;
    for (const [key, value] of entries) checkValue(provider.id, settings, [key, value]);
  }
}

function checkValue(
  id: string,
  settings: readonly ProviderSetting[],
  [key, { value, place }]: readonly [string, ConfiguredValue],
): void {
  const setting = settings.find((each) => each.key === key);
  if (setting === undefined) {
    const keys = settings.map((each) => each.key);
    const what = `${place}: the sandbox provider ${id} has no setting ${quote(key)}`;
    throw unknown(key, keys, what);
  }
  const { isSecret = false, pattern, variable, example } = setting;
  if (isSecret && typeof value === "string") {
    // SECURITY: others may read the file, and it gets copied; the value itself is not repeated.
    throw new CattlegridError(
      "CONFIG_INVALID",
      `${place}: \`${key}\` is never written in a file.`,
      {
        hint: `Keep it with \`cattlegrid secret set ${variable}\` and leave \`${key}\` out, or say \`${key}: { secret: NAME }\` or \`${key}: { env: VARIABLE }\`. Make a new one: this one has been in a file.`,
      },
    );
  }
  if (!isSecret && typeof value !== "string") {
    const message = `${place}: \`${key}\` is a text, such as ${example}.`;
    throw new CattlegridError("CONFIG_INVALID", message);
  }
  if (typeof value !== "string" || pattern === undefined) return;
  if (new RegExp(pattern).test(value)) return;
  const message = `${place}: \`${key}\` is a value such as ${example}, and not ${quote(value)}.`;
  throw new CattlegridError("CONFIG_INVALID", message);
}

function unknown(name: string, known: readonly string[], what: string): CattlegridError {
  const nearest = findNearest(name, known);
  const list = known.length === 0 ? "it has none" : `there are ${known.join(", ")}`;
  const guess = nearest === undefined ? list : `did you mean ${nearest}`;
  return new CattlegridError("CONFIG_INVALID", `${what}; ${guess}.`);
}

function quote(text: string): string {
  return JSON.stringify(text);
}
