import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  symlink,
  writeFile,
} from "node:fs/promises";
import { lchownSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasErrno } from "../../../../platform/native/libc.ts";
import type { SandboxSpecification } from "../../../provider.ts";
import { AGENT_ID, HOME, homePathScript } from "../../../guest/environment.ts";
import { gitConfiguration } from "../../../guest/git-configuration.ts";
import { moveOnce } from "../../../guest/trust-stores.ts";

/**
 * What of the host's /etc the toolchain needs: which programs and libraries to use, and facts of the
 * machine. No accounts, no configuration of package tools, nothing that could hold a secret.
 */
const COPIED = [
  "alternatives",
  "bash_completion.d",
  "debian_version",
  "fonts",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "magic",
  "magic.mime",
  "maven",
  "mime.types",
  "os-release",
  "pki/ca-trust",
  "pki/tls/certs",
  "protocols",
  "rpc",
  "services",
  "ssl/certs",
  "ssl/openssl.cnf",
  "terminfo",
  "timezone",
];
const COPIED_FAMILIES = /^(java|jvm|perl|php|python|ruby)/;
const READABLE_BY_ALL = 0o004;

export interface EtcSources {
  shell: string;
  /** As root: who owns the files, so that they are not a stranger's inside. */
  owner?: { uid: number; gid: number };
}

/** Changes whenever something that `buildBaseEtc` copies was replaced on the host. */
export function etcStamp(): string {
  const times = ["/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc"].map(
    (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return createHash("sha256").update(times.join()).digest("hex").slice(0, 12);
}

/** Writes the part of /etc that all sandboxes share to `directory`, which appears complete or not at all. */
export async function buildBaseEtc(directory: string, sources: EtcSources): Promise<void> {
  if (statSync(directory, { throwIfNoEntry: false }) !== undefined) return;
  const building = await mkdtemp(`${directory}.`);
  // As root the sandbox's user is another one, who reads what it holds.
  await chmod(building, 0o755);
  const families = (await readdir("/etc")).filter((name) => COPIED_FAMILIES.test(name));
  for (const name of [...COPIED, ...families])
    await copyEntry(join("/etc", name), join(building, name));
  for (const [name, text] of Object.entries(baseFiles(sources))) {
    await writeFile(join(building, name), text);
  }
  await symlink("/proc/self/mounts", join(building, "mtab"));
  if (sources.owner !== undefined) giveTree(building, sources.owner);
  await moveOnce(building, directory);
}

/** Writes the part that is this sandbox's own; synchronous, as it lies on the way to the first byte. */
export function writeOwnEtc(directory: string, specification: SandboxSpecification): void {
  mkdirSync(directory);
  writeNames(directory, specification);
}

/** The same anew, for a sandbox that somebody takes over: in place, since what lies over the files knows them by now. */
export function writeNames(directory: string, specification: SandboxSpecification): void {
  const { name } = specification;
  const write = (file: string, text: string): void => writeFileSync(join(directory, file), text);
  write("hostname", `${name}\n`);
  write("hosts", `127.0.0.1 localhost\n::1 localhost ip6-localhost ${name}\n127.0.1.1 ${name}\n`);
  write("gitconfig", gitConfiguration(specification));
}

function baseFiles({ shell }: EtcSources): Readonly<Record<string, string>> {
  return {
    passwd: [
      "root:x:0:0:root:/root:/bin/sh",
      `agent:x:${AGENT_ID}:${AGENT_ID}:agent:${HOME}:${shell}`,
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ].join("\n"),
    group: `root:x:0:\ntty:x:5:\nagent:x:${AGENT_ID}:\nnogroup:x:65534:\n`,
    "nsswitch.conf":
      "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    // The gateway answers at this address; every other resolver's address leads to it as well.
    "resolv.conf": "nameserver 127.0.0.1\n",
    "host.conf": "multi on\n",
    profile: `${homePathScript()}if [ -n "\${BASH_VERSION-}" ]; then . /etc/bash.bashrc; fi\n`,
    "bash.bashrc": [
      '[ -z "${PS1-}" ] && return',
      "shopt -s checkwinsize",
      "PS1='\\h:\\w\\$ '",
      "alias ls='ls --color=auto'\n",
    ].join("\n"),
    shells: "/bin/sh\n/bin/bash\n",
  };
}

function giveTree(directory: string, owner: { uid: number; gid: number }): void {
  lchownSync(directory, owner.uid, owner.gid);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) giveTree(path, owner);
    else lchownSync(path, owner.uid, owner.gid);
  }
}

/** SECURITY: copies only what every account of the host may read, as we may be root. */
async function copyEntry(source: string, target: string): Promise<void> {
  const found = await statIfPresent(source);
  if (found === undefined) return;
  if (found.isSymbolicLink()) {
    await mkdir(dirname(target), { recursive: true });
    await symlink(await readlink(source), target);
    return;
  }
  if ((found.mode & READABLE_BY_ALL) === 0) return;
  if (found.isDirectory()) {
    await mkdir(target, { recursive: true });
    const names = await readdir(source);
    await Promise.all(names.map((name) => copyEntry(join(source, name), join(target, name))));
  } else if (found.isFile()) {
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
  }
}

async function statIfPresent(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EACCES")) return undefined;
    throw error;
  }
}
