import { readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { listFiles } from "./source-files.ts";
import { findUntidy, listSecurityNotes } from "./tidy-rules.ts";

const root = join(import.meta.dirname, "..");
const paths = listFiles(root, ".", [""]);
const sources = paths
  .filter((path) => /\.(ts|mjs|sh|md)$|^bin\//.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

if (process.argv.includes("--security")) {
  for (const note of listSecurityNotes(sources)) console.log(note);
} else {
  const findings = findUntidy(sources, new Set([...paths, ...paths.flatMap(listParents)]));
  for (const { path, line, rule, message } of findings) {
    console.error(`${path}:${line}  ${rule}  ${message}`);
  }
  console.error(`tidy: ${sources.length} files read, ${findings.length} findings`);
  process.exitCode = findings.length === 0 && sources.length > 0 ? 0 : 1;
}

function listParents(path: string): string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [parent, ...listParents(parent)];
}
