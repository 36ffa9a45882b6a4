import { readFileSync } from "node:fs";

export type PackageTool = "apt" | "dnf" | "pacman" | "apk";

export interface Distribution {
  /** As the system calls itself, such as `Fedora Linux 43`. */
  name: string;
  /** Undefined for a system whose packages have other names. */
  tool: PackageTool | undefined;
}

const TOOL_OF: Readonly<Record<string, PackageTool>> = {
  debian: "apt",
  ubuntu: "apt",
  fedora: "dnf",
  rhel: "dnf",
  centos: "dnf",
  arch: "pacman",
  alpine: "apk",
};

const COMMANDS: Readonly<Record<PackageTool, string>> = {
  apt: "apt-get install -y",
  dnf: "dnf install -y",
  pacman: "pacman -S --needed --noconfirm",
  apk: "apk add",
};

/** Debian's name, and those of others where they differ. */
const NAMES: Readonly<Record<string, Partial<Record<PackageTool, string>>>> = {
  libnftables1: { dnf: "nftables", pacman: "nftables", apk: "nftables" },
  iproute2: { dnf: "iproute" },
  uidmap: { dnf: "shadow-utils", pacman: "shadow", apk: "shadow-uidmap" },
  "python3-pip": { pacman: "python-pip", apk: "py3-pip" },
  python3: { pacman: "python" },
  "openssh-sftp-server": { dnf: "openssh-server", pacman: "openssh" },
};

const INSTALL = /(?:sudo )?apt-get install(?: -[\w-]+)*((?: [a-z0-9][a-z0-9.+-]*)+)/g;

/** Reads `/etc/os-release`; where there is none, nothing is known. */
export function readDistribution(path = "/etc/os-release"): Distribution {
  try {
    return parseDistribution(readFileSync(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { name: "an unknown system", tool: undefined };
  }
}

export function parseDistribution(text: string): Distribution {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, key, value] = /^(\w+)=["']?(.*?)["']?$/.exec(line.trim()) ?? [];
    if (key !== undefined && value !== undefined) fields.set(key, value);
  }
  const ids = [fields.get("ID") ?? "", ...(fields.get("ID_LIKE") ?? "").split(" ")];
  const tool = ids.map((id) => TOOL_OF[id]).find((found) => found !== undefined);
  return { name: fields.get("PRETTY_NAME") ?? fields.get("NAME") ?? "an unknown system", tool };
}

/**
 * Hints name Debian's packages and its command; this turns them into what can be pasted on the machine at hand: its own tool, its
 * names, and no `sudo` for root, who may not have it.
 */
export function translateInstall(
  text: string,
  { tool = "apt", isRoot }: { tool?: PackageTool | undefined; isRoot: boolean },
): string {
  const translated = text.replaceAll(INSTALL, (_whole, packages: string) => {
    const names = packages.trim().split(" ");
    return `sudo ${COMMANDS[tool]} ${names.map((name) => NAMES[name]?.[tool] ?? name).join(" ")}`;
  });
  return isRoot ? translated.replaceAll(/\bsudo /g, "") : translated;
}
