import { CattlegridError } from "../../errors/error.ts";
import type { SandboxProvider } from "../../sandbox/provider.ts";
import { findProvider } from "../../sandbox/registry.ts";
import type { LayersFor } from "../../sandbox/life/starting.ts";
import type { SandboxRow } from "../../store/sandbox-rows.ts";
import type { CheckingPlace } from "./sign-in-check.ts";

export interface CheckingPlaceOptions {
  providers: readonly SandboxProvider[];
  layersFor: LayersFor;
}

export interface CheckingUse {
  /** Of the sandbox that needs the sign-in. */
  row: SandboxRow;
  /** Of the sign-in; default: the sandbox's. */
  regions: readonly string[] | undefined;
  signal: AbortSignal;
}

/**
 * Where the sign-in of a sandbox is looked at: beside it, or where its provider cannot hold a sandbox to the agent's
 * hosts, at the first that can. Throws SIGN_IN_RENEWAL_FAILED when there is none.
 */
export async function findCheckingPlace(
  { providers, layersFor }: CheckingPlaceOptions,
  { row, regions, signal }: CheckingUse,
): Promise<CheckingPlace> {
  const { isolation, mirrors, layers, agentVersion, regions: own } = row.specification;
  const common = { mirrors, regions: regions ?? own };
  const provider = findProvider(providers, row.provider);
  if (canCheck(provider)) return { ...common, provider, isolation, layers };
  const other = providers.find(canCheck);
  if (other === undefined) {
    const message = `A sign-in cannot be renewed at ${provider.id}, and no other sandbox provider is here.`;
    throw new CattlegridError("SIGN_IN_RENEWAL_FAILED", message);
  }
  const made = await layersFor(row.agent, {
    owner: row.owner,
    provider: other,
    mirrors,
    ...(agentVersion === undefined ? {} : { agentVersion }),
    signal,
    onEvent: () => undefined,
  });
  return { ...common, provider: other, layers: made };
}

/** SECURITY: what renews a sign-in goes only where nothing but the agent's hosts is reached. */
function canCheck({ declared }: SandboxProvider): boolean {
  return declared.layers && declared.egress === "enforced";
}
