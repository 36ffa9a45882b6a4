import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileStandIn, STAND_IN } from "./program.ts";
import { writeZip } from "./zip.ts";
import type { ZipEntry } from "./zip.ts";

const PROGRAM = "kirocli/libexec";
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

export interface Release {
  version: string;
  /** File name of the zip under /stable/latest/ and /stable/<version>/, the same for either libc. */
  zipNames: readonly string[];
  zipPath: string;
  bytes: number;
  manifest: string;
}

export interface ReleaseOptions {
  version: string;
  /** Built zips stay here, named by what they contain; two clouds may share it. */
  cacheDirectory: string;
  /** FAKE_KIRO_* defaults that the installed stand-in starts with. */
  profile: Readonly<Record<string, string>>;
}

/** Builds the stand-in's zip, or finds it built, and writes the manifest that names it. */
export async function buildRelease(options: ReleaseOptions): Promise<Release> {
  const machine = ARCHITECTURES[process.arch] ?? process.arch;
  const entries = await listEntries(options);
  const zipPath = join(options.cacheDirectory, `kirocli-${await identify(entries)}.zip`);
  const sha256 = await buildOnce(zipPath, entries);
  const { size } = await stat(zipPath);
  const variants = [
    { triple: `${machine}-unknown-linux-gnu`, name: `kirocli-${machine}-linux.zip` },
    { triple: `${machine}-unknown-linux-musl`, name: `kirocli-${machine}-linux-musl.zip` },
  ];
  const packages = variants.map(({ triple, name }) => ({
    kind: "zip",
    targetTriple: triple,
    os: "linux",
    fileType: "zip",
    architecture: machine,
    variant: "headless",
    download: `${options.version}/${name}`,
    sha256,
    size,
    channel: "stable",
  }));
  return {
    version: options.version,
    zipNames: variants.map(({ name }) => name),
    zipPath,
    bytes: size,
    manifest: JSON.stringify({ version: options.version, packages }),
  };
}

async function listEntries(options: ReleaseOptions): Promise<ZipEntry[]> {
  const program = await compileStandIn(options.cacheDirectory);
  const names = (await readdir(program)).toSorted();
  const profile = { FAKE_KIRO_VERSION: options.version, ...options.profile };
  const buildInfo = `Kiro CLI SIMULATOR ${options.version}: a stand-in, not Kiro.\n`;
  return [
    fileEntry("kirocli/install.sh", join(STAND_IN, "package", "install.sh"), 0o755),
    ...["kiro-cli", "kiro-cli-chat", "kiro-cli-term"].map((name) =>
      fileEntry(`kirocli/bin/${name}`, join(STAND_IN, "bin", name), 0o755),
    ),
    bytesEntry("kirocli/BUILD-INFO", buildInfo),
    bytesEntry(`${PROGRAM}/profile.json`, JSON.stringify(profile)),
    ...names.map((name) => fileEntry(`${PROGRAM}/${name}`, join(program, name), 0o644)),
    fileEntry(`${PROGRAM}/node`, process.execPath, 0o755),
  ];
}

function fileEntry(name: string, path: string, mode: number): ZipEntry {
  return { name, mode, content: { path } };
}

function bytesEntry(name: string, text: string): ZipEntry {
  return { name, mode: 0o644, content: { bytes: Buffer.from(text) } };
}

/** Names the content without reading the 120 MB of Node: its path, size and time stand for it. */
async function identify(entries: readonly ZipEntry[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, mode, content } of entries) {
    hash.update(`${name}\0${String(mode)}\0`);
    if ("bytes" in content) hash.update(content.bytes);
    else if (content.path === process.execPath) hash.update(await describeProgram(content.path));
    else hash.update(await readFile(content.path));
  }
  return hash.digest("hex").slice(0, 16);
}

async function describeProgram(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  return `${path}\0${String(size)}\0${String(mtimeMs)}\0${process.version}`;
}

/** Builds beside the final name and renames, so that a zip under its name is always whole. */
async function buildOnce(zipPath: string, entries: readonly ZipEntry[]): Promise<string> {
  const checksumPath = `${zipPath}.sha256`;
  const known = await readIfPresent(checksumPath);
  if (known !== undefined) return known;
  const draft = `${zipPath}.${String(process.pid)}.new`;
  try {
    await writeZip(draft, entries);
    const sha256 = await hashFile(draft);
    await rename(draft, zipPath);
    await writeFile(checksumPath, sha256, { mode: 0o600 });
    return sha256;
  } finally {
    await rm(draft, { force: true });
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  const stream = createReadStream(path, { highWaterMark: 4 * 1024 * 1024 });
  for await (const chunk of stream as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}
