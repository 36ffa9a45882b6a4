import { createHash } from "node:crypto";
import {
  constants,
  closeSync,
  existsSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hasErrno } from "../../../platform/native/libc.ts";
import { AGENT_ID, HOME, homePathScript } from "../../guest/environment.ts";
import { moveOnce } from "../../guest/trust-stores.ts";
import type { SandboxSpecification } from "../../provider.ts";
import { layerName, type Directories } from "../../storage/directories.ts";
import { KEEPER_DIRECTORIES } from "./bundle/bundle.ts";
import { sandboxMemory } from "./keeper/message.ts";
import { BASE_TREE } from "./bundle/root-layout.ts";

const ACCOUNTS_BYTES_MAX = 256 * 1024;

/** One directory that a root file system is made of, as we and as the runtime reach it. */
interface Part {
  host: string;
  inside: string;
}

/** What the root file system of a sandbox lies on, highest first; undefined on the provider's own. */
export interface BaseRoot {
  parts: readonly Part[];
  shell: string;
}

export function findBaseRoot(
  { base, homeLayers }: SandboxSpecification,
  directories: Directories,
  sandbox: number,
): BaseRoot | undefined {
  if (base === undefined) return undefined;
  const layers = homeLayers.toReversed().map((id) => ({
    host: join(directories.roots, layerName(id)),
    inside: `${KEEPER_DIRECTORIES.roots}/${layerName(id)}`,
  }));
  const bottom =
    base.directory === undefined
      ? {
          host: join(directories.bases, base.id),
          inside: `${KEEPER_DIRECTORIES.bases}/${base.id}`,
        }
      : { host: base.directory, inside: `${sandboxMemory(sandbox)}/${BASE_TREE}` };
  const parts = [...layers.filter(({ host }) => existsSync(host)), bottom];
  const hasBash = ["bin/bash", "usr/bin/bash"].some((path) =>
    parts.some(({ host }) => existsSync(join(host, path))),
  );
  return { parts, shell: hasBash ? "/bin/bash" : "/bin/sh" };
}

/**
 * The /etc of the parts, highest first. SECURITY: a link in place of the directory would choose a directory of the host, so
 * that a part with one has no /etc.
 */
export function etcParts({ parts }: BaseRoot): readonly string[] {
  return parts
    .filter(({ host }) => lstatSync(join(host, "etc"), { throwIfNoEntry: false })?.isDirectory())
    .map(({ inside }) => `${inside}/etc`);
}

/** Writes what in /etc has to be ours whatever the base says; once for the same parts. Returns its name. */
export async function buildBaseAccounts(
  parent: string,
  root: BaseRoot,
  owner: { uid: number; gid: number } | undefined,
): Promise<string> {
  const key = createHash("sha256")
    .update(JSON.stringify([root, owner]))
    .digest("hex")
    .slice(0, 16);
  const name = `accounts-${key}`;
  const directory = join(parent, name);
  if (existsSync(directory)) return name;
  const building = mkdtempSync(`${directory}.`);
  mkdirSync(join(building, "profile.d"), { mode: 0o755 });
  const agent = `agent:x:${AGENT_ID}:${AGENT_ID}:agent:${HOME}:${root.shell}`;
  const files: Record<string, string> = {
    passwd: [...others(read(root, "passwd"), 2), agent, ""].join("\n"),
    group: [...others(read(root, "group"), 2), `agent:x:${AGENT_ID}:`, ""].join("\n"),
    // The gateway answers at this address; every other resolver's address leads to it as well.
    "resolv.conf": "nameserver 127.0.0.1\n",
    "profile.d/cattlegrid.sh": homePathScript(),
  };
  for (const [path, text] of Object.entries(files)) writeFileSync(join(building, path), text);
  giveTree(building, owner);
  await moveOnce(building, directory);
  return name;
}

/** As root: lets root inside change what we wrote, which otherwise is nobody's there. */
export function giveTree(path: string, owner: { uid: number; gid: number } | undefined): void {
  if (owner === undefined) return;
  lchownSync(path, owner.uid, owner.gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTree(join(path, name), owner);
}

/** The lines of accounts that are neither the agent's by number nor by name. */
function others(text: string, numberAt: number): readonly string[] {
  const lines = text.split("\n").filter((line) => line.includes(":"));
  const kept = lines.filter((line) => {
    const fields = line.split(":");
    return fields[0] !== "agent" && fields[numberAt] !== String(AGENT_ID);
  });
  return kept.length > 0 ? kept : ["root:x:0:0:root:/root:/bin/sh"];
}

/** SECURITY: a base may be anybody's work; a link in place of the file is not followed, and a pipe not waited for. */
function read({ parts }: BaseRoot, name: string): string {
  for (const { host } of parts) {
    if (!lstatSync(join(host, "etc"), { throwIfNoEntry: false })?.isDirectory()) continue;
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    let fd;
    try {
      fd = openSync(join(host, "etc", name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ELOOP", "EACCES", "ENXIO")) continue;
      throw error;
    }
    try {
      const found = fstatSync(fd);
      if (found.isFile() && found.size <= ACCOUNTS_BYTES_MAX) return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  }
  return "";
}
