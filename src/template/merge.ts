import type { TemplateContent } from "./content.ts";

/**
 * A template that begins with another one. The child's word counts, but for what forbids: rules of `deny` and ceilings are
 * only ever added to. Pure, and associative: of three generations it does not matter which two are merged first.
 */
export function mergeContents(parent: TemplateContent, child: TemplateContent): TemplateContent {
  return dropAbsent({
    ...parent,
    ...dropAbsent(child),
    parameters: mergeMaps(parent.parameters, child.parameters),
    agents: mergeEntries(parent.agents, child.agents),
    packages: mergeLists(parent.packages, child.packages, ["apt", "npm", "pip"]),
    repositories: mergeNamed(parent.repositories, child.repositories, ({ path }) => path),
    setup: join(parent.setup, child.setup),
    files: mergeNamed(parent.files, child.files, ({ path }) => path),
    steering: mergeNamed(parent.steering, child.steering, ({ name }) => name),
    mcpServers: mergeMaps(parent.mcpServers, child.mcpServers),
    environment: mergeMaps(parent.environment, child.environment),
    secrets: mergeMaps(parent.secrets, child.secrets),
    policy: mergeLists(parent.policy, child.policy, ["allow", "deny", "ceilings"]),
    limits: mergeMaps(parent.limits, child.limits),
    workspace: mergeLists(parent.workspace, child.workspace, ["unprotect"]),
    lifetime: mergeMaps(parent.lifetime, child.lifetime),
    identity: mergeMaps(parent.identity, child.identity),
    import: join(parent.import, child.import),
  });
}

type Present<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** In merged data an absent field says nothing; one that is there and undefined would hide the parent's. */
function dropAbsent<T extends object>(value: T): Present<T> {
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(entries) as Present<T>;
}

function mergeMaps<T extends object>(parent: T | undefined, child: T | undefined): T | undefined {
  if (parent === undefined || child === undefined) return child ?? parent;
  return { ...parent, ...dropAbsent(child) };
}

/** Field by field in each entry. */
function mergeEntries<T extends object>(
  parent: Record<string, T> | undefined,
  child: Record<string, T> | undefined,
): Record<string, T> | undefined {
  if (parent === undefined || child === undefined) return child ?? parent;
  const merged: Record<string, T> = { ...parent };
  for (const [name, entry] of Object.entries(child)) {
    merged[name] =
      mergeMaps(Object.hasOwn(parent, name) ? parent[name] : undefined, entry) ?? entry;
  }
  return merged;
}

function join<T>(
  parent: readonly T[] | undefined,
  child: readonly T[] | undefined,
): T[] | undefined {
  if (parent === undefined && child === undefined) return undefined;
  return [...(parent ?? []), ...(child ?? [])];
}

/** The lists among its fields are joined; of the others the child's counts. */
function mergeLists<T extends object, Name extends keyof T>(
  parent: T | undefined,
  child: T | undefined,
  names: readonly Name[],
): T | undefined {
  const merged = mergeMaps(parent, child);
  if (merged === undefined || parent === undefined || child === undefined) return merged;
  const joined = names.map((name) => [
    name,
    join(
      parent[name] as readonly unknown[] | undefined,
      child[name] as readonly unknown[] | undefined,
    ),
  ]);
  return { ...merged, ...dropAbsent(Object.fromEntries(joined) as object) };
}

/** All entries of one name, which differ in when they count, give way together to the child's of that name. */
function mergeNamed<T>(
  parent: readonly T[] | undefined,
  child: readonly T[] | undefined,
  nameOf: (entry: T) => string,
): T[] | undefined {
  if (parent === undefined && child === undefined) return undefined;
  const group = (list: readonly T[] = []): Map<string, T[]> => Map.groupBy(list, nameOf);
  return [...new Map([...group(parent), ...group(child)]).values()].flat();
}
