import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../../src/platform/process.ts";
import { makeImage } from "./docker-rig.ts";
import { program, requirement, type Requirement } from "./requirement.ts";

/** Whether a root file system of Debian can be made here. */
export const DEBIAN: Requirement = requirement("a root file system of Debian", () => {
  if (process.getuid?.() !== 0) return "runs as another user than root, who makes it";
  return program("mmdebstrap").reason || undefined;
});

/** A root file system of Debian with apt, as a tar archive in which some files are others; returns its path. */
export async function makeDebianBase(
  directory: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  const archive = join(directory, "debian.tar");
  const laid = join(directory, "laid");
  copyFileSync(await makeImage(), archive);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(laid, path, ".."), { recursive: true });
    writeFileSync(join(laid, path), content);
  }
  const names = Object.keys(files).map((path) => `./${path}`);
  const options = ["--owner=0", "--group=0", "--mode=0644"];
  const argv = ["tar", "-C", laid, ...options, "--append", "--file", archive, ...names];
  const { code, stderr } = await runProcess(argv);
  if (code !== 0 || !existsSync(archive)) throw new TypeError(stderr);
  return archive;
}
