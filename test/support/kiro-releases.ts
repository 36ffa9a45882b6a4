import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * For a whole run of the tests: the simulated clouds share what they built for download, which is 127 MB each time.
 * Vitest calls it once before the first file, and what it returns after the last.
 */
export function setup(): () => void {
  const directory = mkdtempSync(join(tmpdir(), "cg-kiro-releases-"));
  process.env["KIRO_SIMULATOR_CACHE"] = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}
