import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export const STAND_IN = join(import.meta.dirname, "..", "kiro-cli");

/**
 * The stand-in as JavaScript, which starts in half the time: a folder in `cacheDirectory` named by what
 * it is made from, made when it is not there yet. Several processes may ask at once.
 */
export async function compileStandIn(cacheDirectory: string): Promise<string> {
  await mkdir(cacheDirectory, { recursive: true, mode: 0o700 });
  const target = join(cacheDirectory, `program-${await identify()}`);
  if (await isPresent(target)) return target;
  const draft = await mkdtemp(join(cacheDirectory, "draft-"));
  try {
    // A process of its own: Node warns about the stripping of types in the one that does it.
    const stripper = join(import.meta.dirname, "strip-types.ts");
    const words = ["--disable-warning=ExperimentalWarning", stripper, STAND_IN, draft];
    await promisify(execFile)(process.execPath, words);
    await writeFile(join(draft, "package.json"), '{"type":"module"}');
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process was first; its folder is the same.
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw error;
  }
  return target;
}

async function identify(): Promise<string> {
  const hash = createHash("sha256").update(process.version);
  const names = (await readdir(STAND_IN)).filter((name) => name.endsWith(".ts"));
  for (const name of names.toSorted()) {
    hash.update(`${name}\0`).update(await readFile(join(STAND_IN, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function isPresent(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
