import { readAsciiName, type HostName } from "./host-name.ts";

/** Where the connection goes; each request on it must say the same. */
export interface HttpPlace {
  name: HostName;
  port: number;
}

export interface HttpProblem {
  code: "host-differs" | "request-malformed" | "request-refused";
  problem: string;
}

const HTTP_PORT = 80;
const METHOD_LENGTH_MAX = 32;
const REQUEST_LINE = /^([^ ]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The body that follows a head which may pass. */
export type Body = { length: number | "chunked" };

/** Judges a request head, without its last empty line, more strictly than any server reads it. */
export function judgeHead(head: string, place: HttpPlace): Body | HttpProblem {
  const [first = "", ...lines] = head.split("\r\n");
  const request = REQUEST_LINE.exec(first);
  const [, method = "", target = "", minor] = request ?? [];
  if (!TOKEN.test(method)) return malformed("its first line is not HTTP/1");
  const fields = readFields(lines);
  if (fields === undefined) return malformed("a header line is not valid");
  if (method === "CONNECT") return refused("it asks for a tunnel (CONNECT)");
  if (fields.has("upgrade")) return refused("it asks to leave HTTP/1 (Upgrade)");
  const differs = judgeTarget(target, place) ?? judgeHost(fields.get("host"), place);
  return differs ?? judgeFraming(fields, minor === "1");
}

function readFields(lines: readonly string[]): ReadonlyMap<string, string[]> | undefined {
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    const field = readField(line);
    if (field === undefined) return undefined;
    fields.set(field.name, [...(fields.get(field.name) ?? []), field.value]);
  }
  return fields;
}

function judgeTarget(target: string, place: HttpPlace): HttpProblem | undefined {
  if (target.startsWith("/") || target === "*") return undefined;
  const authority = /^http:\/\/([^/?#]*)(?:[/?].*)?$/i.exec(target)?.[1];
  if (authority === undefined) return malformed("its target is neither a path nor an http address");
  return judgeAuthority(authority, place);
}

function judgeHost(
  hosts: readonly string[] | undefined,
  place: HttpPlace,
): HttpProblem | undefined {
  const [host, ...others] = hosts ?? [];
  if (host === undefined) return malformed("it has no Host header");
  return others.length > 0 ? malformed("it has two Host headers") : judgeAuthority(host, place);
}

function judgeAuthority(authority: string, place: HttpPlace): HttpProblem | undefined {
  const match = /^([^:@]+)(?::([0-9]{1,5}))?$/.exec(authority);
  const name = readAsciiName(match?.[1] ?? "");
  if (match === null || !name.ok) return malformed("its host is not a plain name");
  const port = Number(match[2] ?? HTTP_PORT);
  if (name.value === place.name && (match[2] === undefined || port === place.port)) {
    return undefined;
  }
  const problem = `it is for ${name.value}:${port} and not for ${place.name}:${place.port}`;
  return { code: "host-differs", problem };
}

function judgeFraming(
  fields: ReadonlyMap<string, string[]>,
  isChunkable: boolean,
): Body | HttpProblem {
  const encodings = fields.get("transfer-encoding");
  const lengths = fields.get("content-length") ?? [];
  if (encodings !== undefined) {
    const isPlain = isChunkable && lengths.length === 0 && encodings.length === 1;
    if (!isPlain || encodings[0]?.toLowerCase() !== "chunked") {
      return malformed("its body has an ambiguous length");
    }
    return { length: "chunked" };
  }
  const [length = "0", ...others] = lengths;
  if (others.length > 0 || !/^[0-9]{1,15}$/.test(length)) {
    return malformed("its body has an ambiguous length");
  }
  return { length: Number(length) };
}

/** One header or trailer line; a folded one is none. */
export function readField(line: string): { name: string; value: string } | undefined {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1);
  if (!TOKEN.test(name) || !FIELD_VALUE.test(value)) return undefined;
  return { name: name.toLowerCase(), value: value.replace(/^[ \t]+|[ \t]+$/g, "") };
}

/** Tells from as much as there is whether a stream may be HTTP/1, so that others need not wait. */
export function looksLikeRequest(bytes: Buffer): boolean {
  const end = bytes.indexOf(0x0a);
  if (end !== -1) return REQUEST_LINE.test(bytes.toString("latin1", 0, end).replace(/\r$/, ""));
  const space = bytes.indexOf(0x20);
  const method = bytes.toString("latin1", 0, space === -1 ? bytes.length : space);
  return method.length < METHOD_LENGTH_MAX && TOKEN.test(method);
}

export function malformed(problem: string): HttpProblem {
  return { code: "request-malformed", problem };
}

function refused(problem: string): HttpProblem {
  return { code: "request-refused", problem };
}
