import { asCattlegridError } from "../errors/error.ts";
import { remedyOf } from "./remedy.ts";
import type { Probe, SandboxProvider, ShownSetting } from "./provider.ts";

/** Whether a provider can be used here, as its checks told. */
export interface ProviderHealth {
  id: string;
  /** `degraded`: it can, with less than it could have. */
  status: Probe["status"];
  probes: readonly Probe[];
}

const PROBE_TIMEOUT_MS = 120_000;

/** Executes the checks of every provider; one that cannot even be asked is a row, and hides none of the others. */
export async function probeProviders(
  providers: readonly SandboxProvider[],
  signal: AbortSignal,
): Promise<readonly ProviderHealth[]> {
  return Promise.all(
    providers.map(async (provider) => {
      const deadline = AbortSignal.timeout(PROBE_TIMEOUT_MS);
      const probes = await probeProvider(provider, AbortSignal.any([signal, deadline]));
      signal.throwIfAborted();
      return { id: provider.id, status: worstOf(probes), probes };
    }),
  );
}

async function probeProvider(
  provider: SandboxProvider,
  signal: AbortSignal,
): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  try {
    probes.push(...describeSettings((await provider.settings?.()) ?? []));
    probes.push(...(await provider.probe(signal)));
  } catch (error) {
    const { message, hint } = asCattlegridError(error);
    const remedy = remedyOf(hint);
    const probe = { name: provider.id, status: "missing" as const, detail: message };
    probes.push(remedy === undefined ? probe : { ...probe, remedy });
  }
  return probes;
}

/** A row where anything is said, which is what a wrong account or machine is found by. */
function describeSettings(settings: readonly ShownSetting[]): readonly Probe[] {
  if (settings.length === 0) return [];
  const each = settings.map(({ key, value, origin }) =>
    value === undefined ? `${key} (from ${origin})` : `${key} ${value} (from ${origin})`,
  );
  return [{ name: "settings", status: "ok", detail: each.join("; ") }];
}

function worstOf(probes: readonly Probe[]): Probe["status"] {
  const order = ["missing", "degraded", "ok"] as const;
  return order.find((status) => probes.some((probe) => probe.status === status)) ?? "ok";
}
