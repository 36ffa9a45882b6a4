const NAME_LENGTH_MAX = 63;
const SUFFIX_ROOM = 8;

/** `<agent>-<folder>` with what a name cannot hold replaced; only the agent for a sandbox without workspace. */
export function defaultName(agent: string, workspace: string | null): string {
  const folder = workspace?.split("/").findLast((component) => component !== "") ?? "";
  const words = [agent, folder].map(sanitise).filter((word) => word !== "");
  const name = words.join("-").slice(0, NAME_LENGTH_MAX - SUFFIX_ROOM);
  return name.length < 2 ? `sandbox-${name}` : name.replace(/[-.]+$/, "");
}

/** `base`, or the first of `base-2`, `base-3`… that nobody has. */
export function distinctName(base: string, isTaken: (name: string) => boolean): string {
  if (!isTaken(base)) return base;
  let number = 2;
  while (isTaken(`${base}-${number}`)) number++;
  return `${base}-${number}`;
}

function sanitise(text: string): string {
  const plain = text.normalize("NFKD").replaceAll(/[^A-Za-z0-9.]+/g, "-");
  return plain.replace(/^[-.]+/, "").replace(/[-.]+$/, "");
}
