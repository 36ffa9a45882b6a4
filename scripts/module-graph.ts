import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";
import { lineAt, listFiles } from "./source-files.ts";

export interface Import {
  specifier: string;
  line: number;
  /** Path of our own module, relative to the root; absent for packages and Node's own modules. */
  target?: string;
}

export interface Module {
  path: string;
  imports: readonly Import[];
  /** Our modules named by a relative path in a string, as an entry that another process runs. */
  mentions: readonly string[];
  /** False when the text has import statements and the compiler's reader returned none. */
  isRead: boolean;
}

export interface ModuleGraph {
  modules: ReadonlyMap<string, Module>;
  /** How many source files the folders hold, counted without the compiler. */
  fileCount: number;
}

const IMPORT_STATEMENT = /^\s*(?:import|export)\b(?:[^;"'=(:]*\bfrom)?\s*["'][^"'\n]+["']/m;
const MODULE_PATH = /["'`](\.\.?\/[^"'`$\s]+\.ts)["'`]/g;
/** `./main${extname(import.meta.url)}` names the same module in the source and when compiled. */
const MODULE_STEM = /`(\.\.?\/[^"'`$\s]+)\$\{extname\(import\.meta\.\w+\)\}`/g;

/** Reads the imports of every TypeScript file in `folders`; type-only and dynamic ones count too. */
export function readModuleGraph(root: string, folders: readonly string[]): ModuleGraph {
  const files = folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => listFiles(root, folder, [".ts"]));
  const modules = new Map(files.map((path) => [path, readModule(root, path)]));
  return { modules, fileCount: files.length };
}

function readModule(root: string, path: string): Module {
  const text = readFileSync(join(root, path), "utf8");
  const imports = ts.preProcessFile(text, true, true).importedFiles.map((file): Import => {
    const target = resolveOwn(path, file.fileName);
    const found = { specifier: file.fileName, line: lineAt(text, file.pos) };
    return target === undefined ? found : { ...found, target };
  });
  const named = [
    ...[...text.matchAll(MODULE_PATH)].map((match) => match[1] ?? ""),
    ...[...text.matchAll(MODULE_STEM)].map((match) => `${match[1]}.ts`),
  ];
  const mentions = named.flatMap((name) => resolveOwn(path, name) ?? []);
  return { path, imports, mentions, isRead: imports.length > 0 || !IMPORT_STATEMENT.test(text) };
}

function resolveOwn(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}
