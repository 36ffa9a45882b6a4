import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROUTES } from "../src/protocol/routes/all.ts";
import { renderApiDocuments } from "./api-documents.ts";

const folder = join(import.meta.dirname, "..", "docs");
const isCheck = process.argv.includes("--check");
for (const [name, text] of Object.entries(renderApiDocuments(ROUTES))) {
  const path = join(folder, name);
  if (!isCheck) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    console.error(`docs/${name} is out of date: run \`npm run generate\``);
    process.exitCode = 1;
  }
}
