import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Files below `directory` that hold the text. */
export function filesHolding(text: string, directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("/layers/"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}
