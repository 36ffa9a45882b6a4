import { createHash } from "node:crypto";
import type { AgentInstallation } from "../../agent/agent.ts";

const RECIPE_CHARACTERS = 8;

/** What an installed agent's layer is kept under. */
export interface LayerKey {
  agent: string;
  /** The version that is wanted. Absent: the newest that is there, and the newest there is. */
  version?: string;
  /** Of how it was installed: another installer or other settings are another layer. */
  recipe: string;
  /** What it was made for, such as `glibc-2.36`. */
  userland: string;
  /** Whether an operator's mirrors stood in for the agent's own hosts. */
  mirrored: boolean;
}

/**
 * A digest of everything that an installation does. SECURITY: with a checksum it is another one, so that what was
 * installed without never passes for what was checked.
 */
export function recipeOf({ script, settings }: AgentInstallation, checksum?: string): string {
  const text = JSON.stringify([script, settings, ...(checksum === undefined ? [] : [checksum])]);
  return createHash("sha256").update(text).digest("hex").slice(0, RECIPE_CHARACTERS);
}

export function layerName(key: LayerKey, version: string): string {
  return `${key.agent}-${version}-${suffix(key)}`;
}

/** The layer of the wanted version, or of the newest, among `layers`, of which most may be somebody else's. */
export function findLayer(key: LayerKey, layers: readonly string[]): string | undefined {
  if (key.version !== undefined) {
    const wanted = layerName(key, key.version);
    return layers.includes(wanted) ? wanted : undefined;
  }
  const ending = `-${suffix(key)}`;
  const versions = layers
    .filter((layer) => layer.startsWith(`${key.agent}-`) && layer.endsWith(ending))
    .map((layer) => layer.slice(key.agent.length + 1, -ending.length))
    .filter((version) => /^\d+(\.\d+)*$/.test(version));
  const newest = versions.toSorted(compareVersions).at(-1);
  return newest === undefined ? undefined : layerName(key, newest);
}

/**
 * SECURITY: what came from a mirror, which may be a simulator, must never pass for what the agent's own hosts
 * serve, nor the other way round.
 */
function suffix({ recipe, userland, mirrored }: LayerKey): string {
  return `${recipe}-${userland}${mirrored ? "-mirrored" : ""}`;
}

function compareVersions(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}
