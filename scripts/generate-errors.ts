import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ERROR_CODES } from "../src/errors/codes.ts";
import { renderErrorsPage } from "./errors-page.ts";

const folder = join(import.meta.dirname, "..", "docs");
const path = join(folder, "errors.md");
const page = renderErrorsPage(ERROR_CODES);
if (!process.argv.includes("--check")) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, page);
} else if (readFileSync(path, "utf8") !== page) {
  console.error("docs/errors.md is out of date: run `npm run generate`");
  process.exitCode = 1;
}
