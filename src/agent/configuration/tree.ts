/** A value of a settings file. */
export type TreeValue = string | number | boolean | null | readonly TreeValue[] | Tree;
export interface Tree {
  readonly [key: string]: TreeValue;
}

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `over` laid on `base`, table by table; any other value takes the place of what was there. Keeps the order of keys. */
export function layOver(base: Tree, over: Tree): Tree {
  const laid = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const below = laid.get(key);
    laid.set(key, isTree(value) ? layOver(isTree(below) ? below : {}, value) : value);
  }
  return toTree(laid);
}

/** Takes out of `tree` what `former` had laid and `wanted` does not lay any more, and tables that are empty then. */
export function takeBack(tree: Tree, former: Tree, wanted: Tree): Tree {
  const kept = new Map(Object.entries(tree));
  for (const [key, laid] of Object.entries(former)) {
    const there = kept.get(key);
    const next = valueOf(wanted, key);
    if (there === undefined) continue;
    if (!isTree(laid) || !isTree(there)) {
      if (next === undefined) kept.delete(key);
      continue;
    }
    const rest = takeBack(there, laid, isTree(next) ? next : {});
    if (Object.keys(rest).length === 0 && next === undefined) kept.delete(key);
    else kept.set(key, rest);
  }
  return toTree(kept);
}

/** SECURITY: of its own keys only, so that one called `__proto__` is as any other. */
export function valueOf(tree: Tree, key: string): TreeValue | undefined {
  return Object.hasOwn(tree, key) ? tree[key] : undefined;
}

/** SECURITY: own keys whatever they are called, `__proto__` included. */
function toTree(entries: Iterable<readonly [string, TreeValue]>): Tree {
  return Object.fromEntries(entries);
}
