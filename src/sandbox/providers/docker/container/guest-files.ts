import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HOME, homePathScript } from "../../../guest/environment.ts";
import { gitConfiguration } from "../../../guest/git-configuration.ts";
import { listTrustFiles } from "../../../guest/trust-stores.ts";
import type { SandboxSpecification } from "../../../provider.ts";
import type { GuestAccount } from "./guest-account.ts";
import type { RootImage } from "../images/root-image.ts";

/** A file of ours that lies in the image's place. */
export interface GuestFile {
  /** On the host. */
  source: string;
  /** Inside. */
  target: string;
}

/** Writes what a sandbox's /etc says of the sandbox; the rest of it is the image's. */
export async function writeGuestFiles(
  directory: string,
  specification: SandboxSpecification,
  { account, root }: { account: GuestAccount; root: RootImage | undefined },
): Promise<readonly GuestFile[]> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const { certificates } = specification;
  const files: readonly [string, string | Buffer][] = [
    ...Object.entries(root === undefined ? accounts(account) : accountsOn(root, account)),
    ...Object.entries(names(specification)),
    ["gitconfig", gitConfiguration(specification)],
    ["profile.d/cattlegrid.sh", homePathScript()],
    ...(certificates.length === 0 ? [] : await listTrustFiles(certificates)),
  ];
  return files.map(([name, content], index) => {
    const source = join(directory, String(index));
    writeFileSync(source, content, { mode: 0o644 });
    return { source, target: `/etc/${name}` };
  });
}

/** None of the image's: the agent is who it is everywhere, whatever that image calls its user. */
function accounts({ uid, gid }: GuestAccount): Record<string, string> {
  return {
    passwd: [
      "root:x:0:0:root:/root:/bin/sh",
      `agent:x:${uid}:${gid}:agent:${HOME}:/bin/sh`,
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ].join("\n"),
    group: `root:x:0:\ntty:x:5:\nagent:x:${gid}:\nnogroup:x:65534:\n`,
  };
}

/** A template's base keeps its own, such as those that packages made. */
function accountsOn({ passwd, group }: RootImage, account: GuestAccount): Record<string, string> {
  const { uid, gid } = account;
  const agent = `agent:x:${uid}:${gid}:agent:${HOME}:/bin/sh`;
  const root = "root:x:0:0:root:/root:/bin/sh";
  return {
    passwd: [...others(passwd, uid, root), agent, ""].join("\n"),
    group: [...others(group, gid, "root:x:0:"), `agent:x:${gid}:`, ""].join("\n"),
  };
}

/** The lines of accounts that are neither the agent's by number nor by name. */
function others(text: string, agentId: number, nobody: string): readonly string[] {
  const lines = text.split("\n").filter((line) => line.includes(":"));
  const kept = lines.filter((line) => {
    const [name, , id] = line.split(":");
    return name !== "agent" && id !== String(agentId);
  });
  return kept.length > 0 ? kept : [nobody];
}

function names({ name }: SandboxSpecification): Record<string, string> {
  return {
    hostname: `${name}\n`,
    hosts: `127.0.0.1 localhost\n::1 localhost ip6-localhost ${name}\n127.0.1.1 ${name}\n`,
    // The engine would copy the host's, with the names of its network. The gateway answers at this address.
    "resolv.conf": "nameserver 127.0.0.1\n",
  };
}
