import type { ConfigurationFile, SettingsFile } from "../../agent/configuration/configuration.ts";
import { isReadable, mergeSettings } from "../../agent/configuration/settings-text.ts";
import { putBlock, removeBlock } from "../../agent/configuration/text-block.ts";
import type { Tree } from "../../agent/configuration/tree.ts";
import { CattlegridError } from "../../errors/error.ts";

const FILE_MODE = 0o644;
const PATH_CHARACTERS_MAX = 1024;

/** A plain file of the home, as it lies there. */
export interface HomeFile {
  content: Buffer;
  mode: number;
}

export interface HomeWrite extends HomeFile {
  path: string;
}

/** What a start put into the home, so that a later one can take it out again. */
export interface PlacedFiles {
  /** Whole files. */
  files: readonly string[];
  /** Values that were laid over settings, by the file's path. */
  settings: Readonly<Record<string, { format: SettingsFile["format"]; tree: Tree }>>;
  /** Texts with a block of ours. */
  blocks: readonly string[];
}

export const NOTHING_PLACED: PlacedFiles = { files: [], settings: {}, blocks: [] };

export interface HomePlan {
  /** Only what differs from what lies there. */
  writes: readonly HomeWrite[];
  removals: readonly string[];
}

/** What a list of files amounts to. The last one of a path counts. */
export function describePlaced(wanted: readonly ConfigurationFile[]): PlacedFiles {
  const files = [...byPath(wanted).values()];
  const settings = files.flatMap((file) =>
    "settings" in file ? [[file.path, { format: file.format, tree: file.settings }] as const] : [],
  );
  return {
    files: files.flatMap((file) => ("content" in file ? [file.path] : [])),
    settings: Object.fromEntries(settings),
    blocks: files.flatMap((file) => ("block" in file ? [file.path] : [])),
  };
}

/** Paths whose contents `planHome` has to know. */
export function listRead(wanted: readonly ConfigurationFile[], former: PlacedFiles): string[] {
  const now = wanted.map(({ path }) => path);
  return [...new Set([...now, ...listPlaced(former)])];
}

function listPlaced({ files, settings, blocks }: PlacedFiles): string[] {
  return [...files, ...Object.keys(settings), ...blocks];
}

export interface PlanSources {
  wanted: readonly ConfigurationFile[];
  former: PlacedFiles;
  /** What lies at the paths of `listRead`, and what the files' bases read. */
  home: ReadonlyMap<string, HomeFile>;
}

/** How the home comes to hold what is wanted and nothing more of what an earlier start put there. Pure. */
export function planHome({ wanted, former, home }: PlanSources): HomePlan {
  const texts = new Map([...home].map(([path, { content }]) => [path, content.toString("utf8")]));
  const files = byPath(wanted);
  const made = [...files.values()].flatMap((file) => make(file, { former, texts }));
  const left = listPlaced(former)
    .filter((path) => !files.has(path) && texts.has(path))
    .map((path): MadeText => ({ path, text: takeOut(path, texts.get(path) ?? "", former) }));
  const writes = [...made, ...left].flatMap(({ path, text, mode: wish }) => {
    if (text === undefined) return [];
    const there = home.get(path);
    const mode = wish ?? there?.mode ?? FILE_MODE;
    const content = Buffer.from(text, "utf8");
    const isSame = there?.content.equals(content) === true && there.mode === mode;
    return isSame ? [] : [{ path, content, mode }];
  });
  const removals = left.filter(({ text }) => text === undefined).map(({ path }) => path);
  return { writes, removals };
}

interface MadeText {
  path: string;
  /** Undefined: nothing is left of it. */
  text: string | undefined;
  /** Default: as it is. */
  mode?: number;
}

/** What a file's text becomes. */
function make(
  file: ConfigurationFile,
  { former, texts }: { former: PlacedFiles; texts: ReadonlyMap<string, string> },
): MadeText[] {
  const { path } = file;
  const existing = texts.get(path);
  if ("content" in file) return [{ path, text: file.content, mode: file.mode ?? FILE_MODE }];
  if ("block" in file) return [{ path, text: putBlock(existing ?? "", file.block) }];
  const laid = former.settings[path]?.tree ?? {};
  if (existing === undefined || isReadable(existing, file.format)) {
    return [{ path, text: mergeSettings(file, { existing, former: laid, home: texts }) }];
  }
  // Whoever broke it finds it beside: a start must not depend on what an agent leaves.
  const text = mergeSettings(file, { existing: undefined, former: laid, home: texts });
  return [
    { path: `${path}.unreadable`, text: existing },
    { path, text },
  ];
}

/** What is left of a file when ours is taken out; undefined when nothing is. */
function takeOut(path: string, text: string, former: PlacedFiles): string | undefined {
  const laid = former.settings[path];
  if (laid !== undefined) {
    if (!isReadable(text, laid.format)) return text;
    const rest = mergeSettings(
      { settings: {}, format: laid.format },
      { existing: text, former: laid.tree, home: new Map() },
    );
    return rest.trim() === "" || rest.trim() === "{}" ? undefined : rest;
  }
  if (!former.blocks.includes(path)) return undefined;
  const rest = removeBlock(text);
  return rest.trim() === "" ? undefined : rest;
}

function byPath(files: readonly ConfigurationFile[]): ReadonlyMap<string, ConfigurationFile> {
  return new Map(files.map((file) => [file.path, file]));
}

/** SECURITY: a path must lie in the home directory, and be one line of the script's list. Throws TEMPLATE_INVALID. */
export function checkHomePath(path: string): void {
  const steps = path.split("/");
  const isPlain = !steps.some((step) => step === "" || step === "." || step === "..");
  const isLine = !/[\u0000-\u001F\u007F]/.test(path) && path.length <= PATH_CHARACTERS_MAX;
  if (isPlain && isLine) return;
  const message = `${JSON.stringify(path)} is no path below the home directory.`;
  throw new CattlegridError("TEMPLATE_INVALID", message, {
    hint: "Write it relative to the home directory, such as .config/tool/settings.json.",
  });
}
