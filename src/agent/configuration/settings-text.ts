import { parse as parseToml, stringify as stringifyToml } from "smol-toml";
import type { SettingsFile } from "./configuration.ts";
import { isTree, layOver, takeBack, type Tree, valueOf } from "./tree.ts";

/** A settings file's table; empty when there is none, or what is there is no settings file. */
export function readTree(text: string | undefined, format: SettingsFile["format"] = "json"): Tree {
  return text === undefined || text.trim() === "" ? {} : (parse(text, format) ?? {});
}

export interface MergeSources {
  /** What lies there. */
  existing: string | undefined;
  /** What an earlier start laid over it. */
  former: Tree;
  home: ReadonlyMap<string, string>;
}

/** The text of a settings file with the wanted values in it. The same again changes nothing. */
export function mergeSettings(file: SettingsFile, sources: MergeSources): string {
  const { existing, former, home } = sources;
  const found =
    existing === undefined ? (file.base?.(home) ?? {}) : readTree(existing, file.format);
  const bare = withoutEntries(takeBack(found, former, file.settings), file);
  const laid = layOver(bare, file.settings);
  const known = Object.entries(laid).filter(([key]) => file.keys?.has(key) ?? true);
  const tree = Object.fromEntries(known);
  const isSame = existing !== undefined && JSON.stringify(tree) === JSON.stringify(found);
  if (isSame) return existing;
  return file.format === "toml" ? `${stringifyToml(tree)}\n` : `${JSON.stringify(tree, null, 2)}\n`;
}

/** Whether there is a table in it. */
export function isReadable(text: string, format: SettingsFile["format"]): boolean {
  return text.trim() === "" || parse(text, format) !== undefined;
}

function parse(text: string, format: SettingsFile["format"]): Tree | undefined {
  try {
    const value: unknown = format === "toml" ? parseToml(text) : JSON.parse(text);
    return isTree(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Entries that are going to be laid are taken out first, so that nothing of another's stays in them. */
function withoutEntries(tree: Tree, { whole = [], settings }: SettingsFile): Tree {
  const entries = Object.entries(tree).map(([key, table]) => {
    const over = valueOf(settings, key);
    if (!whole.includes(key) || !isTree(table) || !isTree(over)) return [key, table] as const;
    const kept = Object.entries(table).filter(([name]) => !Object.hasOwn(over, name));
    return [key, Object.fromEntries(kept)] as const;
  });
  return Object.fromEntries(entries);
}
