import { chmodSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { hasErrno } from "../../../../platform/native/libc.ts";
import { buildBaseAccounts, etcParts, giveTree, type BaseRoot } from "../base-root.ts";
import { buildBaseEtc, etcStamp } from "../bundle/etc.ts";
import { KEEPER_DIRECTORIES } from "../bundle/bundle.ts";
import { AGENT_ID } from "../../../guest/environment.ts";
import { buildTrustStores } from "../../../guest/trust-stores.ts";

const DIRECTORY = "local";
const SKELETON = "empty";
const OWN_USR = "usr";
/** Directories that `make install` and its like write to: the agent's. */
const LOCAL = ["bin", "include", "sbin", "share", "src"];

/**
 * The directory of short-lived files: the runtime's state, bundles, sockets, and the parts of /etc and /usr that
 * sandboxes share. Nothing in it outlives the keeper that was launched with it.
 */
export interface RuntimeFiles {
  directory: string;
  cache: string;
  shell: string;
  /** As root: who owns /etc inside, in host ids. */
  owner?: { uid: number; gid: number };
}

/** Empties the directory, which only the keeper being launched uses. */
export function openRuntimeFiles(
  runtimeDirectory: string,
  owner: { uid: number; gid: number } | undefined,
): RuntimeFiles {
  const directory = join(runtimeDirectory, DIRECTORY);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, SKELETON), { recursive: true, mode: 0o755 });
  makeOwnUsr(join(directory, OWN_USR), owner);
  const shell = statSync("/bin/bash", { throwIfNoEntry: false }) ? "/bin/bash" : "/bin/sh";
  const cache = join(runtimeDirectory, "keeper-cache");
  return { directory, cache, shell, ...(owner === undefined ? {} : { owner }) };
}

/** One for all sandboxes: each making its own would be the greater part of what a new one writes to the disk. */
function makeOwnUsr(directory: string, owner: RuntimeFiles["owner"]): void {
  for (const name of LOCAL) mkdirSync(join(directory, "local", name), { recursive: true });
  // What the daemon was started with must not decide who may enter /usr/local.
  for (const name of ["", "local", ...LOCAL.map((each) => join("local", each))]) {
    chmodSync(join(directory, name), 0o755);
  }
  giveTree(directory, owner && { uid: owner.uid + AGENT_ID, gid: owner.gid + AGENT_ID });
}

/** Removes what a keeper that is dead, this engine's or an earlier one's, has left. */
export async function removeRuntimeFiles(runtimeDirectory: string): Promise<void> {
  await rm(join(runtimeDirectory, DIRECTORY), { recursive: true, force: true });
}

export interface SandboxFiles {
  directory: string;
  /** The same directory as the runtime may also reach it. */
  insideKeeper: string;
}

export function makeSandboxFiles(files: RuntimeFiles, sandbox: number): SandboxFiles {
  const directory = join(files.directory, String(sandbox));
  mkdirSync(directory);
  return { directory, insideKeeper: `${KEEPER_DIRECTORIES.runtime}/${sandbox}` };
}

export async function removeSandboxFiles(files: SandboxFiles): Promise<void> {
  await rm(files.directory, { recursive: true, force: true });
}

/** The layers of /etc below a sandbox's own, highest first, made when the host's /etc has changed. */
export async function etcLayers(
  files: RuntimeFiles,
  certificates: readonly string[],
  root?: BaseRoot,
): Promise<readonly string[]> {
  const stamp = etcStamp();
  const names: string[] = [];
  if (certificates.length > 0) names.push(await trustLayer(files, certificates, { stamp, root }));
  if (root === undefined) {
    const base = `etc-${stamp}`;
    await buildBaseEtc(join(files.directory, base), files);
    names.push(base);
  } else names.push(await buildBaseAccounts(files.directory, root, files.owner));
  const own = names.map((name) => `${KEEPER_DIRECTORIES.runtime}/${name}`);
  return root === undefined ? own : [...own, ...etcParts(root)];
}

/** On a base root inside may change it, so that it is another directory than others have. */
async function trustLayer(
  { directory, owner }: RuntimeFiles,
  certificates: readonly string[],
  { stamp, root }: { stamp: string; root: BaseRoot | undefined },
): Promise<string> {
  if (root === undefined) return (await buildTrustStores(directory, certificates, stamp)).name;
  const { name } = await buildTrustStores(directory, certificates, `${stamp}-base`);
  giveTree(join(directory, name), owner);
  return name;
}

/** The directories under /usr, highest first. */
export function usrLayers(): readonly string[] {
  return [`${KEEPER_DIRECTORIES.runtime}/${OWN_USR}`, "/usr"];
}

export function emptyHomeLayer(): string {
  return `${KEEPER_DIRECTORIES.runtime}/${SKELETON}`;
}

export function readIfPresent(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}
