import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkBoundaries } from "./boundary-rules.ts";
import { readModuleGraph } from "./module-graph.ts";

const FOLDERS = ["src", "test", "scripts", "simulator", "bench"];

const root = resolve(process.argv[2] ?? join(import.meta.dirname, ".."));
type Packages = Record<string, string>;

const manifest: { dependencies?: Packages; peerDependencies?: Packages } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);
const graph = readModuleGraph(root, FOLDERS);
const packages = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
const violations = checkBoundaries(graph, new Set(packages));
for (const { path, line, rule, message } of violations) {
  console.error(`${path}:${line}  ${rule}  ${message}`);
}
const count = violations.length;
console.error(`boundaries: ${graph.modules.size} modules read, ${count} violations`);
process.exitCode = count === 0 ? 0 : 1;
