import { CattlegridError } from "../../errors/error.ts";
import { type ClientVersion, isAtLeast } from "./client-version.ts";

const BEGIN = "# >>> cattlegrid (written by `cattlegrid ssh-config --install`)";
const END = "# <<< cattlegrid";
const BLOCK = new RegExp(`${escape(BEGIN)}\n[^]*?\n${escape(END)}\n\n?`);

export interface ConfigurationSources {
  /** The program, as an absolute path. */
  program: string;
  /** Of the state directory, where it is not the usual one. */
  home?: string | undefined;
  /** Sandboxes that programs which list hosts are to list. */
  names: readonly string[];
  /** Of the client; undefined when it is not known. */
  version?: ClientVersion | undefined;
}

/** The first that warns of keys which a quantum computer could find out, and so of every connection here. */
const WARNS: ClientVersion = [10, 1];

/** What OpenSSH's configuration needs for every name below `.cattlegrid`. Pure. */
export function renderConfiguration(sources: ConfigurationSources): string {
  const { program, home, names, version } = sources;
  const words = [
    ...(home === undefined ? [] : ["/usr/bin/env", `CATTLEGRID_HOME=${home}`]),
    program,
  ];
  const hosts = [...names.map((name) => `${name}.cattlegrid`), "*.cattlegrid"].join(" ");
  // SECURITY: a shell reads the proxy's command. A name with a quote in it could leave its quotes there, so such names are no hosts of ours.
  return `Host ${hosts} "!*'*"
  User agent
  ProxyCommand ${words.map(quoteForShell).join(" ")} ssh-proxy '%h'
  KnownHostsCommand ${words.map(quoteForArguments).join(" ")} ssh-proxy --host-keys %h
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  HostKeyAlgorithms ssh-ed25519
  UpdateHostKeys no
  CheckHostIP no
  PreferredAuthentications none
  PubkeyAuthentication no
  ForwardAgent no
  ForwardX11 no
${version !== undefined && isAtLeast(version, WARNS) ? "  WarnWeakCrypto no\n" : ""}`;
}

/** The configuration with the block at its beginning, where nothing else has spoken yet: the first word counts. Pure. */
export function addBlock(text: string, block: string): string {
  const rest = removeBlock(text);
  const own = `${BEGIN}\n${block.trimEnd()}\n${END}\n`;
  return rest === "" ? own : `${own}\n${rest}`;
}

/** As it was before. Throws CONFIG_INVALID for a block whose end is gone. Pure. */
export function removeBlock(text: string): string {
  const rest = text.replace(BLOCK, "");
  if (!rest.includes(BEGIN)) return rest;
  throw new CattlegridError("CONFIG_INVALID", `The block of Cattlegrid has no end (\`${END}\`).`, {
    hint: "Delete the block from the file by hand, then run the command again.",
  });
}

/** A shell takes it as it is; OpenSSH replaces `%` in it. */
function quoteForShell(word: string): string {
  const literal = word.replaceAll("%", "%%");
  return /^[\w/.=:@%+-]+$/.test(literal)
    ? literal
    : `'${literal.replaceAll("'", String.raw`'\''`)}'`;
}

/** OpenSSH splits these by itself. */
function quoteForArguments(word: string): string {
  const literal = word.replaceAll("%", "%%");
  return /^[\w/.=:@%+-]+$/.test(literal)
    ? literal
    : `"${literal.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
