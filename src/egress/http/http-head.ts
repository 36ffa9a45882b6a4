import { readAsciiName, type HostName } from "../host-name.ts";
import { METHOD_OVERRIDE_FIELDS, type HttpRequest } from "../policy/http-scope.ts";

/** Where the connection goes; each request on it must say the same. */
export interface HttpPlace {
  name: HostName;
  port: number;
  /** `https` when the request came out of an opened TLS connection. */
  scheme: "http" | "https";
}

export interface HttpProblem {
  code: "host-differs" | "request-malformed" | "request-refused";
  problem: string;
}

/** How long the body is that follows a head. */
export type Body = { length: number | "chunked" | "until-close" };

/** A request that may be judged by its method and path. */
export interface RequestHead {
  request: HttpRequest;
  /** Asks to become a WebSocket, whose bytes are no requests any more. */
  isUpgrade: boolean;
  /** Sends the body only when the server has said that it wants it (`Expect`). */
  asksFirst: boolean;
}

export type Fields = ReadonlyMap<string, readonly string[]>;

const DEFAULT_PORT = { http: 80, https: 443 };
const METHOD_LENGTH_MAX = 32;
const REQUEST_LINE = /^([^ ]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** A proxy behind us removes the headers that Connection names; without these it would read another message. */
const FRAMING_FIELDS = new Set(["host", "content-length", "transfer-encoding"]);

/** Judges a request head, without its last empty line, more strictly than any server reads it. */
export function readRequestHead(
  text: string,
  place: HttpPlace,
): { head: RequestHead; body: Body } | HttpProblem {
  const [first = "", ...lines] = text.split("\r\n");
  const [, method = "", target = "", minor] = REQUEST_LINE.exec(first) ?? [];
  if (!TOKEN.test(method)) return malformed("its first line is not HTTP/1");
  const fields = readFields(lines);
  if (fields === undefined) return malformed("a header line is not valid");
  if (method === "CONNECT") return refused("it asks for a tunnel (CONNECT)");
  const path = readTarget(target, place);
  if (typeof path !== "string") return path;
  const differs = judgeHost(fields.get("host"), place) ?? judgeConnection(fields);
  if (differs !== undefined) return differs;
  const body = readFraming(fields, minor === "1");
  return "problem" in body ? body : describeRequest({ method, path, fields, body });
}

function describeRequest(parts: {
  method: string;
  path: string;
  fields: Fields;
  body: Body;
}): { head: RequestHead; body: Body } | HttpProblem {
  const { method, path, fields, body } = parts;
  const isUpgrade = readUpgrade(fields, { method, body });
  if (typeof isUpgrade !== "boolean") return isUpgrade;
  const methodOverrides = METHOD_OVERRIDE_FIELDS.flatMap((name) => fields.get(name) ?? []);
  const isEmpty = body.length === 0;
  const expectation = fields.get("expect");
  if (expectation !== undefined && expectation.join().toLowerCase() !== "100-continue") {
    return malformed("its Expect header is not 100-continue");
  }
  // SECURITY: a WebSocket lets its client say anything, as a body does.
  const request = { method, path, methodOverrides, hasBody: !isEmpty || isUpgrade };
  return { head: { request, isUpgrade, asksFirst: !isEmpty && expectation !== undefined }, body };
}

export function readFields(lines: readonly string[]): Fields | undefined {
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    const field = readField(line);
    if (field === undefined) return undefined;
    const known = fields.get(field.name);
    if (known === undefined) fields.set(field.name, [field.value]);
    else known.push(field.value);
  }
  return fields;
}

/** The path of a target in origin or absolute form. */
function readTarget(target: string, place: HttpPlace): string | HttpProblem {
  if (target.startsWith("/") || target === "*") return target;
  const match = /^(https?):\/\/([^/?#]*)([/?].*)?$/i.exec(target);
  if (match?.[1]?.toLowerCase() !== place.scheme) {
    return malformed(`its target is neither a path nor an ${place.scheme} address`);
  }
  const [, , authority = "", rest = "/"] = match;
  return judgeAuthority(authority, place) ?? (rest.startsWith("/") ? rest : `/${rest}`);
}

function judgeHost(
  hosts: readonly string[] | undefined,
  place: HttpPlace,
): HttpProblem | undefined {
  const [host, ...others] = hosts ?? [];
  if (host === undefined) return malformed("it has no Host header");
  return others.length > 0 ? malformed("it has two Host headers") : judgeAuthority(host, place);
}

/** Compares `name` or `name:port`, as a request says whom it is for, with where the connection goes. */
export function judgeAuthority(authority: string, place: HttpPlace): HttpProblem | undefined {
  const match = /^([^:@]+)(?::([0-9]{1,5}))?$/.exec(authority);
  const name = readAsciiName(match?.[1] ?? "");
  if (match === null || !name.ok) return malformed("its host is not a plain name");
  const port = Number(match[2] ?? DEFAULT_PORT[place.scheme]);
  if (name.value === place.name && (match[2] === undefined || port === place.port)) {
    return undefined;
  }
  const problem = `it is for ${name.value}:${port} and not for ${place.name}:${place.port}`;
  return { code: "host-differs", problem };
}

function judgeConnection(fields: Fields): HttpProblem | undefined {
  const named = listTokens(fields.get("connection")).find((token) => FRAMING_FIELDS.has(token));
  return named === undefined ? undefined : malformed(`its Connection header names ${named}`);
}

function readFraming(fields: Fields, isChunkable: boolean): Body | HttpProblem {
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

/** Whether it asks to become a WebSocket; every other way to leave HTTP/1 is refused. */
function readUpgrade(
  fields: Fields,
  { method, body }: { method: string; body: Body },
): boolean | HttpProblem {
  const upgrades = fields.get("upgrade");
  if (upgrades === undefined) return false;
  const isWebSocket =
    upgrades.length === 1 && upgrades[0]?.toLowerCase() === "websocket" && method === "GET";
  if (!isWebSocket || body.length !== 0 || !fields.has("sec-websocket-key")) {
    return refused("it asks to leave HTTP/1 (Upgrade) for something other than a WebSocket");
  }
  return true;
}

export function listTokens(values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) =>
    value.split(",").map((each) => each.trim().toLowerCase()),
  );
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
