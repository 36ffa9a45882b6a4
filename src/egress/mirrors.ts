import { CattlegridError } from "../errors/error.ts";
import { formatAddress, parseAddress } from "./address.ts";
import { quoteHost, readHostName, type HostName } from "./host-name.ts";
import { parsePortSpan } from "./policy/port-set.ts";

export interface MirrorTarget {
  address: string;
  port: number;
}

/** Redirections of allowed names, by `name:port`. */
export type Mirrors = ReadonlyMap<string, MirrorTarget>;

export const NO_MIRRORS: Mirrors = new Map();

/** Reads `name:port=address:port,…` as in CATTLEGRID_MIRRORS. Throws MIRROR_INVALID naming the bad part. */
export function parseMirrors(text: string): Mirrors {
  const mirrors = new Map<string, MirrorTarget>();
  const parts = text.split(",").map((part) => part.trim());
  for (const part of parts.filter((each) => each !== "")) {
    const { key, target } = parseMirror(part);
    if (mirrors.has(key)) throw fail(part, `${key} is given twice`);
    mirrors.set(key, target);
  }
  return mirrors;
}

export function findMirror(
  mirrors: Mirrors,
  place: { name: HostName; port: number },
): MirrorTarget | undefined {
  return mirrors.get(`${place.name}:${place.port}`);
}

export function formatMirror(target: MirrorTarget): string {
  const host = target.address.includes(":") ? `[${target.address}]` : target.address;
  return `${host}:${target.port}`;
}

function parseMirror(part: string): { key: string; target: MirrorTarget } {
  const [from = "", to, ...rest] = part.split("=");
  if (to === undefined || rest.length > 0) throw fail(part, "it is not name:port=address:port");
  const source = splitPort(from);
  if (source === undefined) throw fail(part, `${quoteHost(from)} is not name:port`);
  const name = readHostName(source.host);
  if (!name.ok) throw fail(part, name.problem);
  const target = splitPort(to);
  if (target === undefined) throw fail(part, `${quoteHost(to)} is not address:port`);
  const address = parseAddress(target.host.replace(/^\[(.*)\]$/, "$1"));
  if (address === undefined) {
    throw fail(part, `${quoteHost(target.host)} is not an IP address`);
  }
  return {
    key: `${name.value}:${source.port}`,
    target: { address: formatAddress(address), port: target.port },
  };
}

function splitPort(text: string): { host: string; port: number } | undefined {
  const match = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text);
  const span = parsePortSpan(match?.[2] ?? "");
  if (match?.[1] === undefined || span === undefined || span.first !== span.last) return undefined;
  return { host: match[1], port: span.first };
}

function fail(part: string, problem: string): CattlegridError {
  return new CattlegridError("MIRROR_INVALID", `The mirror ${quoteHost(part)}: ${problem}.`);
}
