// Exits 0 when node_modules holds what package-lock.json asks for. Runs on the machine's own Node.js,
// before ours is there, so it keeps to what Node.js 18 has.
import { readFileSync } from "node:fs";

const root = new URL("../", import.meta.url);

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(new URL(path, root), "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

const installed = readPackages("node_modules/.package-lock.json");
const missing = Object.entries(readPackages("package-lock.json")).filter(
  ([path, wanted]) =>
    path !== "" && !wanted.optional && installed[path]?.version !== wanted.version,
);
process.exitCode = missing.length === 0 ? 0 : 1;
