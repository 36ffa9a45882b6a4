import { isNetworkAddress, parseRange, formatRange, type AddressRange } from "../address.ts";
import { explainBroadHost, explainBroadRange } from "./broad-host.ts";
import { quoteHost, readHostPattern } from "../host-name.ts";
import { isMethod, isScoped, readPathPattern, type HttpScope } from "./http-scope.ts";
import { EVERY_PORT, mergePorts, parsePortSpan, type PortSet } from "./port-set.ts";
import {
  makeAllowRule,
  makeDenyRule,
  PUBLIC_ADDRESSES,
  type AddressGrant,
  type AllowRule,
  type DenyRule,
  type Protocol,
  type RuleSource,
  type RuleTarget,
} from "./rule.ts";

/** What a text means, or what is wrong with it and how to write it instead. */
export type Reading<T> = { ok: true; value: T } | { ok: false; problem: string; fix: string };

const SHORT_FORM_FIX = "Write HOST, HOST:PORT, HOST/PATH, CIDR:PORT or HOST:PORT,private.";
const TLS_PORT = 443;
const HTTP_PORT = 80;

/**
 * Reads `HOST`, `HOST:PORT`, `[v6]:PORT`, `CIDR:PORT`, each optionally with `,private`, `,opaque`, …, and hosts
 * with `/path` or `,GET` for some requests only.
 */
export function readAllowText(
  text: string,
  source: RuleSource,
  told: { reason?: string | undefined; broad?: boolean | undefined } = {},
): Reading<AllowRule> {
  const split = splitText(text);
  const place = readPlace(split.place);
  if (!place.ok) return place;
  const { target, ports = mergePorts([{ first: TLS_PORT, last: TLS_PORT }]) } = place.value;
  const scope = readScope(split);
  if (!scope.ok) return scope;
  const spoken = readWords(split.words, { target, ports, scope: scope.value });
  if (!spoken.ok) return spoken;
  const isMeant = told.broad === true && told.reason !== undefined;
  const broad = isMeant ? undefined : refuseBroad(target);
  if (broad !== undefined) return broad;
  const reason = told.reason === undefined ? {} : { reason: told.reason };
  return { ok: true, value: makeAllowRule({ source, ...spoken.value, ...reason }) };
}

/** Protocol and addresses from what stands behind the place. */
function readWords<P extends { target: RuleTarget; ports: PortSet; scope: HttpScope }>(
  words: readonly string[],
  parts: P,
): Reading<P & { protocol: Protocol; addresses: AddressGrant }> {
  const protocol = readProtocolWord(words, parts.target, parts.ports);
  if (!protocol.ok) return protocol;
  const addresses = readAddressWords(words.filter((word) => !isProtocol(word)));
  if (!addresses.ok) return addresses;
  const said = { protocol: protocol.value, addresses: addresses.value };
  const problem = checkAllow({ ...parts, ...said });
  if (problem !== undefined) return problem;
  return {
    ok: true,
    value: { ...parts, ...said, addresses: said.addresses ?? PUBLIC_ADDRESSES },
  };
}

/** Reads `HOST`, `CIDR` or either with a port; without one, every port is denied. Hosts may have paths and methods. */
export function readDenyText(
  text: string,
  source: RuleSource,
  told: { reason?: string | undefined } = {},
): Reading<DenyRule> {
  const split = splitText(text);
  const place = readPlace(split.place);
  if (!place.ok) return place;
  const [word] = split.words;
  if (word !== undefined) {
    const fix =
      "A deny rule says HOST, HOST:PORT, CIDR or HOST/PATH, then methods: example.com,POST.";
    return { ok: false, problem: `${quoteHost(word)} says nothing in a deny rule`, fix };
  }
  const { target, ports = EVERY_PORT } = place.value;
  const scope = readScope(split);
  if (!scope.ok) return scope;
  const problem = checkScope(target, scope.value);
  if (problem !== undefined) return problem;
  const reason = told.reason === undefined ? {} : { reason: told.reason };
  return {
    ok: true,
    value: makeDenyRule({ source, target, ports, scope: scope.value, ...reason }),
  };
}

interface SplitText {
  place: string;
  paths: readonly string[];
  methods: readonly string[];
  words: readonly string[];
}

/** The parts of a short form: where paths begin with a slash, and methods are upper case. */
function splitText(text: string): SplitText {
  const [first = "", ...rest] = text.split(",");
  // The slash of a CIDR follows an address: digits and dots, or more than one colon.
  const path = /^(?![0-9.]+\/)[^/:[]+(?::[^/:]*)?(?<path>\/(?!\/).*)$/s.exec(first)?.groups?.[
    "path"
  ];
  return {
    place: path === undefined ? first : first.slice(0, first.length - path.length),
    paths: [path, ...rest].filter((each) => each?.startsWith("/") === true) as string[],
    methods: rest.filter(isMethod),
    words: rest.filter((each) => !each.startsWith("/") && !isMethod(each)),
  };
}

/** What a rule says of requests; a part that is left out restricts nothing. */
export function readScope(written: {
  methods?: readonly string[] | undefined;
  paths?: readonly string[] | undefined;
}): Reading<HttpScope> {
  const { methods = [], paths = [] } = written;
  const odd = methods.find((method) => !isMethod(method));
  if (odd !== undefined) {
    const fix = "A method is an upper-case word such as GET or POST; CONNECT is never allowed.";
    return { ok: false, problem: `${quoteHost(odd)} is not a method`, fix };
  }
  const patterns: string[] = [];
  for (const path of paths) {
    const pattern = readPathPattern(path);
    if (!pattern.ok) return pattern;
    patterns.push(pattern.value);
  }
  const scope = {
    ...(methods.length > 0 && { methods: [...new Set(methods)] }),
    ...(patterns.length > 0 && { paths: [...new Set(patterns)] }),
  };
  return { ok: true, value: scope };
}

/** Requests are seen only on connections to a name. */
export function checkScope(target: RuleTarget, scope: HttpScope) {
  if (!isScoped(scope) || target.kind === "host") return undefined;
  const problem = "a CIDR rule cannot speak of methods and paths, which are not looked at there";
  return { ok: false as const, problem, fix: "Name the host, or leave methods and paths out." };
}

export function readTarget(text: string): Reading<RuleTarget> {
  if (/[/:[\]]/.test(text) || /^[0-9.]+$/.test(text)) {
    const range = readRange(text.replace(/^\[(.*)\]$/, "$1"));
    return range.ok ? { ok: true, value: { kind: "range", range: range.value } } : range;
  }
  const pattern = readHostPattern(text);
  if (pattern.ok) return { ok: true, value: { kind: "host", pattern: pattern.value } };
  const fix = "Write an exact name, *.name for one label more, or **.name for any depth.";
  return { ok: false, problem: pattern.problem, fix };
}

export function readRange(text: string): Reading<AddressRange> {
  const range = parseRange(text);
  if (range === undefined) {
    const fix = "Write an address or a CIDR, such as 10.0.0.0/8 or [2001:db8::]:5432.";
    return { ok: false, problem: `${quoteHost(text)} is not an address range`, fix };
  }
  if (isNetworkAddress(range)) return { ok: true, value: range };
  const bits = range.family === 4 ? 32 : 128;
  const shift = BigInt(bits - range.length);
  const network = formatRange({ ...range, base: (range.base >> shift) << shift });
  const problem = `${quoteHost(text)} has address bits beyond its length`;
  return { ok: false, problem, fix: `Write ${network} for the whole range.` };
}

/** TLS on 443 and HTTP on 80 for names; whatever else is there cannot be compared with a name. */
export function defaultProtocol(target: RuleTarget, ports: PortSet): Protocol {
  const [only, ...others] = ports;
  if (target.kind === "range" || only === undefined || others.length > 0) return "opaque";
  if (only.first !== only.last) return "opaque";
  if (only.first === TLS_PORT) return "tls";
  return only.first === HTTP_PORT ? "http" : "opaque";
}

export function readAddressWords(words: readonly string[]): Reading<AddressGrant | undefined> {
  if (words.length === 0) return { ok: true, value: undefined };
  const ranges: AddressRange[] = [];
  for (const word of words) {
    if (word === "public" || word === "private") continue;
    const range = readRange(word);
    if (!range.ok) {
      const fix =
        "Address classes are public, private or a CIDR; protocols are tls, http or opaque.";
      return { ok: false, problem: range.problem, fix };
    }
    ranges.push(range.value);
  }
  const grant = { public: words.includes("public"), private: words.includes("private"), ranges };
  return { ok: true, value: grant };
}

/** What a rule cannot say, whichever way it was written. */
export function checkAllow(rule: {
  target: RuleTarget;
  protocol: Protocol;
  addresses: AddressGrant | undefined;
  scope: HttpScope;
}): { ok: false; problem: string; fix: string } | undefined {
  const scopeProblem = checkScope(rule.target, rule.scope);
  if (scopeProblem !== undefined) return scopeProblem;
  if (isScoped(rule.scope) && rule.protocol === "opaque") {
    const problem = "methods and paths of opaque connections cannot be seen";
    return { ok: false, problem, fix: "Make the protocol tls or http." };
  }
  if (rule.target.kind === "host") return undefined;
  if (rule.protocol !== "opaque") {
    const problem = `a CIDR rule has no name that ${rule.protocol} could be compared with`;
    return { ok: false, problem, fix: "Leave the protocol out; a CIDR rule is opaque." };
  }
  if (rule.addresses === undefined) return undefined;
  const fix = "Leave the address class out; a CIDR rule grants exactly its range.";
  return { ok: false, problem: "a CIDR rule is its own address class", fix };
}

/** Why a target is too wide to be allowed without a word from the person who wants it. */
export function explainBroad(target: RuleTarget): string | undefined {
  if (target.kind === "host") return explainBroadHost(target.pattern);
  return explainBroadRange(target.range);
}

function refuseBroad(target: RuleTarget) {
  const why = explainBroad(target);
  if (why === undefined) return undefined;
  const fix =
    "Name the hosts, or say that it is meant: `broad: true` and a reason in a policy file, or " +
    "`policy allow --broad --reason TEXT`.";
  return { ok: false as const, problem: `the rule is too broad: ${why}`, fix };
}

function readPlace(text: string): Reading<{ target: RuleTarget; ports?: PortSet }> {
  if (text === "") return { ok: false, problem: "the rule is empty", fix: SHORT_FORM_FIX };
  if (text.includes("//")) {
    const fix = "Write the host alone, without https:// and without a path.";
    return { ok: false, problem: `${quoteHost(text)} is an address of a page, not HOST:PORT`, fix };
  }
  const match =
    /^(?<target>\[[^\]]*\])(?::(?<ports>.*))?$/s.exec(text) ??
    /^(?<target>[^/]*\/[0-9]+)(?::(?<ports>.*))?$/s.exec(text) ??
    /^(?<target>[^:]*)(?::(?<ports>[^:]*))?$/s.exec(text);
  if (match?.groups?.["target"] === undefined) {
    const fix = "Write an IPv6 address in brackets: [2001:db8::1]:443.";
    return { ok: false, problem: `${quoteHost(text)} is not HOST:PORT`, fix };
  }
  const { target: targetText, ports: portsText } = match.groups;
  const target = readTarget(targetText);
  if (!target.ok) return target;
  if (portsText === undefined) return { ok: true, value: { target: target.value } };
  const span = parsePortSpan(portsText);
  if (span === undefined) {
    const fix = "A port is 1 to 65535, a span such as 8000-8010, or *.";
    return { ok: false, problem: `${quoteHost(portsText)} is not a port`, fix };
  }
  return { ok: true, value: { target: target.value, ports: mergePorts([span]) } };
}

function readProtocolWord(
  words: readonly string[],
  target: RuleTarget,
  ports: PortSet,
): Reading<Protocol> {
  const [protocol, ...others] = words.filter(isProtocol);
  if (others.length > 0) {
    const fix = "Name one of tls, http and opaque.";
    return { ok: false, problem: "the rule names two protocols", fix };
  }
  return { ok: true, value: protocol ?? defaultProtocol(target, ports) };
}

function isProtocol(word: string): word is Protocol {
  return word === "tls" || word === "http" || word === "opaque";
}
