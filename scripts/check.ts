import { spawnSync } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const PACKAGES = join(ROOT, "node_modules");

/** What `npm run check` runs, in the order in which a mistake is cheapest to learn of. */
const STEPS: readonly (readonly [name: string, ...argv: string[]])[] = [
  ["format", join(PACKAGES, ".bin/oxfmt"), "--check", "."],
  ["lint", join(PACKAGES, ".bin/oxlint")],
  ["tidy", process.execPath, "scripts/tidy.ts"],
  ["boundaries", process.execPath, "scripts/check-boundaries.ts"],
  ["errors page", process.execPath, "scripts/generate-errors.ts", "--check"],
  ["api pages", process.execPath, "scripts/generate-api.ts", "--check"],
  ["types", process.execPath, join(PACKAGES, "typescript/bin/tsc"), "--noEmit", "-p", "."],
];

const failed = STEPS.filter(([name, program = "", ...argv]) => {
  const begun = performance.now();
  const { status } = spawnSync(program, argv, { cwd: ROOT, stdio: "inherit" });
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.error(`${status === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  return status !== 0;
});
if (failed.length > 0) console.error(`failed: ${failed.map(([name]) => name).join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
