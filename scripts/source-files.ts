import { readdirSync } from "node:fs";
import { join } from "node:path";

const NOT_OURS = new Set(["node_modules", "dist", "coverage", ".git", ".cache", "fixtures"]);

/** Every file under `folder` with one of the endings, as sorted paths relative to `root` with `/`. */
export function listFiles(root: string, folder: string, endings: readonly string[]): string[] {
  const found: string[] = [];
  const pending = [folder];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    for (const entry of readdirSync(join(root, current), { withFileTypes: true })) {
      const path = current === "." ? entry.name : `${current}/${entry.name}`;
      const isWanted = entry.isFile() && endings.some((ending) => entry.name.endsWith(ending));
      if (isWanted) found.push(path);
      if (entry.isDirectory() && !NOT_OURS.has(entry.name)) pending.push(path);
    }
  }
  return found.sort();
}

export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.startsWith("test/");
}

/** The line, counted from 1, on which `position` lies. */
export function lineAt(text: string, position: number): number {
  return text.slice(0, position).split("\n").length;
}
