import { quoteHost } from "../host-name.ts";
import { readRequestPath } from "../http/request-path.ts";

/** Which HTTP requests a rule speaks of; a part that is absent restricts nothing. */
export interface HttpScope {
  methods?: readonly string[];
  /** `/exact`, `*` for text within a segment, `/**` at the end for everything below. */
  paths?: readonly string[];
}

/** What is known of one request when it is judged. */
export interface HttpRequest {
  method: string;
  /** The target as sent, in origin form: `/path?query`. */
  path: string;
  /** Values of header fields that ask a server to take the request for another method. */
  methodOverrides?: readonly string[];
  hasBody?: boolean;
}

export type ScopeMismatch = "method-not-allowed" | "path-not-allowed" | "path-ambiguous";

/** Fields by which servers let a client override the method of a request, in lower case. */
export const METHOD_OVERRIDE_FIELDS: readonly string[] = [
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
];

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
const BODILESS_METHODS = ["GET", "HEAD"];
const PATH_LENGTH_MAX = 2048;

export type ScopeReading<T> = { ok: true; value: T } | { ok: false; problem: string; fix: string };

export function isMethod(text: string): boolean {
  return METHOD.test(text) && text !== "CONNECT";
}

/** Reads a pattern into the form that paths are compared in. */
export function readPathPattern(text: string): ScopeReading<string> {
  const fix = "Write a path such as /repos/acme/site, /repos/*/site or /repos/acme/**.";
  if (text.length > PATH_LENGTH_MAX) return { ok: false, problem: "the path is too long", fix };
  if (text.includes("?")) {
    return { ok: false, problem: `${quoteHost(text)} holds a query, which no rule compares`, fix };
  }
  const escaped = text.replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
  const path = readRequestPath(escaped);
  if (!path.ok)
    return { ok: false, problem: `${quoteHost(text)} is no path: ${path.problem}`, fix };
  const beforeLast = path.value.endsWith("/**") ? path.value.slice(0, -2) : path.value;
  if (!beforeLast.includes("**")) return { ok: true, value: path.value };
  return { ok: false, problem: `${quoteHost(text)} has ** before its end`, fix };
}

export function isScoped(scope: HttpScope): boolean {
  return scope.methods !== undefined || scope.paths !== undefined;
}

/** Why an allowing scope does not include a request; undefined when it does. */
export function findMismatch(scope: HttpScope, request: HttpRequest): ScopeMismatch | undefined {
  const { methods, paths } = scope;
  if (methods !== undefined && !allowsMethods(methods, request)) return "method-not-allowed";
  if (paths === undefined) return undefined;
  const path = readRequestPath(request.path);
  if (!path.ok) return "path-ambiguous";
  const isMatched = paths.some((pattern) => matchesPath(pattern, path.value));
  return isMatched ? undefined : "path-not-allowed";
}

/**
 * Whether a denying scope includes a request. SECURITY: it takes every spelling that some server would read
 * as the denied one: another case, a trailing slash, an overridden method, and a path without one reading.
 */
export function deniesRequest(scope: HttpScope, request: HttpRequest): boolean {
  const { methods, paths } = scope;
  const asked = methodsOf(request).map((method) => method.toUpperCase());
  if (methods !== undefined && !asked.some((method) => methods.includes(method))) return false;
  if (paths === undefined) return true;
  const path = readRequestPath(request.path);
  if (!path.ok) return true;
  const spellings = [path.value, path.value.replace(/(?<=.)\/$/, "")].map(fold);
  return paths.some((pattern) => spellings.some((each) => matchesPath(fold(pattern), each)));
}

function allowsMethods(methods: readonly string[], request: HttpRequest): boolean {
  if (request.hasBody === true && BODILESS_METHODS.includes(request.method)) return false;
  return methodsOf(request).every((method) => methods.includes(method));
}

/** The method and every other one that a server may take the request for. */
function methodsOf({ method, path, methodOverrides = [] }: HttpRequest): string[] {
  const query = path.includes("?") ? path.slice(path.indexOf("?")) : "";
  const inQuery = [...new URLSearchParams(query)]
    .filter(([key]) => key.toLowerCase() === "_method")
    .map(([, value]) => value);
  return [method, ...[...methodOverrides, ...inQuery].map((each) => each.trim().toUpperCase())];
}

function fold(path: string): string {
  return path.toLowerCase();
}

function matchesPath(pattern: string, path: string): boolean {
  if (pattern.endsWith("/**")) {
    const above = pattern.slice(0, -2).split("/");
    const segments = path.split("/");
    if (segments.length < above.length) return false;
    return above.slice(0, -1).every((each, index) => matchesSegment(each, segments[index] ?? ""));
  }
  const [wanted, found] = [pattern.split("/"), path.split("/")];
  if (wanted.length !== found.length) return false;
  return wanted.every((each, index) => matchesSegment(each, found[index] ?? ""));
}

/** `*` stands for any text; walks back to the last `*` only, so that time stays bounded. */
function matchesSegment(pattern: string, text: string): boolean {
  if (pattern === "*") return text !== "";
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || text.length < first.length + last.length) return false;
  if (!text.endsWith(last)) return false;
  let position = first.length;
  const end = text.length - last.length;
  for (const part of rest) {
    const found = text.indexOf(part, position);
    if (found === -1 || found + part.length > end) return false;
    position = found + part.length;
  }
  return true;
}
