import type { Hold } from "./change.ts";

/**
 * Why a link is held back: it may lead out of the workspace. SECURITY: `a/../..` is judged by its letters only while
 * `a` is no link, so a target may climb at its beginning alone, from the directory that really holds the link.
 */
export function findLinkHolds(components: readonly string[], target: string): readonly Hold[] {
  const hold = (reason: string): Hold[] => [{ class: "link", reason }];
  if (target.startsWith("/")) return hold("is a link out of the workspace");
  const steps = target.split("/").filter((step) => step !== "" && step !== ".");
  const named = steps.findIndex((step) => step !== "..");
  const climbs = named === -1 ? steps.length : named;
  if (climbs >= components.length) return hold("is a link out of the workspace");
  if (steps.slice(climbs).includes(".."))
    return hold("is a link whose way may leave the workspace");
  return [];
}
