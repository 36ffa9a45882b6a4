import { CattlegridError } from "../errors/error.ts";
import type { KeyPlace } from "./key-place.ts";
import type { Vault } from "./vault.ts";

/** The row of `doctor`. */
export interface VaultProbe {
  name: "vault";
  status: "ok" | "degraded";
  detail: string;
  remedy?: string;
}

/** Says where the key is, or would come to be, and whether it answers. */
export async function probeVault(
  vault: Vault,
  places: readonly KeyPlace[],
  signal: AbortSignal,
): Promise<VaultProbe> {
  try {
    const { place, title, underEarlierKeys } = await vault.describeKey();
    if (place === "none")
      return { name: "vault", status: "ok", detail: await foretell(places, signal) };
    await vault.checkKey(signal);
    if (underEarlierKeys === 0)
      return { name: "vault", status: "ok", detail: `its key is in ${title}` };
    const detail = `values still sealed with an earlier key: ${underEarlierKeys}`;
    return { name: "vault", status: "degraded", detail, remedy: "cattlegrid secret rotate" };
  } catch (error) {
    if (!CattlegridError.is(error)) throw error;
    const remedy = "cattlegrid secret ls";
    return { name: "vault", status: "degraded", detail: error.message, remedy };
  }
}

async function foretell(places: readonly KeyPlace[], signal: AbortSignal): Promise<string> {
  const refusals: string[] = [];
  for (const place of places) {
    const why = await place.refusal(signal);
    if (why === undefined) {
      const because = refusals.length === 0 ? "" : ` (${refusals.join("; ")})`;
      return `nothing is kept in it; its key would be in ${place.title}${because}`;
    }
    refusals.push(`${place.title}: ${why}`);
  }
  return `nothing is kept in it, and no place for its key is found (${refusals.join("; ")})`;
}
