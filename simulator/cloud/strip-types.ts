import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

/** Run as a program of its own: `strip-types.ts FROM TO` writes JavaScript for each module in a folder. */
const [from = "", to = ""] = process.argv.slice(2);
for (const name of readdirSync(from)) {
  if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
  const code = stripTypeScriptTypes(readFileSync(join(from, name), "utf8"));
  const renamed = code.replace(/( from "\.\/[^"]+)\.ts"/g, '$1.js"');
  writeFileSync(join(to, name.replace(/\.ts$/, ".js")), renamed);
}
