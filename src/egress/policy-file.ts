import {
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from "yaml";
import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import { quoteHost } from "./host-name.ts";
import { POLICY_PRESETS, type PolicyPreset } from "./policy.ts";
import { EVERY_PORT, mergePorts, parsePortSpan, type PortSet } from "./port-set.ts";
import {
  checkAllow,
  defaultProtocol,
  explainBroad,
  readAddressWords,
  readAllowText,
  readDenyText,
  readTarget,
  type Reading,
} from "./rule-text.ts";
import {
  makeAllowRule,
  makeDenyRule,
  PUBLIC_ADDRESSES,
  type AllowRule,
  type DenyRule,
  type RuleTarget,
} from "./rule.ts";

export interface PolicyFile {
  preset?: PolicyPreset;
  allow: readonly AllowRule[];
  deny: readonly DenyRule[];
}

const portSchema = z.union([z.int().min(1).max(65_535), z.string()]);
const portsSchema = z.union([portSchema, z.array(portSchema).min(1)]);
const targetShape = { host: z.string().optional(), cidr: z.string().optional() };

const allowSchema = z.strictObject({
  ...targetShape,
  ports: portsSchema.optional(),
  protocol: z.enum(["tls", "http", "opaque"]).optional(),
  addresses: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  broad: z.boolean().optional(),
  reason: z.string().min(1).optional(),
});

const denySchema = z.strictObject({
  ...targetShape,
  ports: portsSchema.optional(),
  reason: z.string().min(1).optional(),
});

const fileSchema = z.strictObject({
  preset: z.enum(POLICY_PRESETS).optional(),
  allow: z.array(z.union([z.string(), allowSchema])).optional(),
  deny: z.array(z.union([z.string(), denySchema])).optional(),
});

type AllowEntry = z.infer<typeof allowSchema>;
type Path = readonly PropertyKey[];

/**
 * Reads the text of a policy file. Throws POLICY_INVALID naming file, line, column and the fix; a file
 * that cannot be read as a whole is an error and never a policy that allows more than it says.
 */
export function readPolicyFile(file: { path: string; text: string }): PolicyFile {
  const lines = new LineCounter();
  const document = parseDocument(file.text, { lineCounter: lines, uniqueKeys: true });
  const source: Source = { path: file.path, document, lines };
  const [syntax] = [...document.errors, ...document.warnings];
  if (syntax !== undefined) {
    throw failAt(source, syntax.pos[0], {
      problem: (syntax.message.split("\n")[0] ?? "").replace(/ at line .*$/, ""),
      fix: "Correct the YAML there.",
    });
  }
  if (!isMap(document.contents)) {
    throw failAt(source, 0, {
      problem: "the file holds no policy",
      fix: "Write at least `allow: []`, which lets nothing out.",
    });
  }
  refuseAliases(source);
  const parsed = fileSchema.safeParse(document.toJS());
  if (!parsed.success) throw failSchema(source, parsed.error);
  const { preset, allow = [], deny = [] } = parsed.data;
  return {
    ...(preset === undefined ? {} : { preset }),
    allow: allow.map((entry, index) => take(source, ["allow", index], readAllowEntry(entry))),
    deny: deny.map((entry, index) => take(source, ["deny", index], readDenyEntry(entry))),
  };
}

interface Source {
  path: string;
  document: Document.Parsed;
  lines: LineCounter;
}

/** An alias would make one place of the file speak for another, which a reader of rules overlooks. */
function refuseAliases(source: Source): void {
  visit(source.document, {
    Alias(_key, node) {
      const fix = "Write the rule out in each place.";
      throw failAt(source, node.range?.[0] ?? 0, { problem: "a policy has no aliases", fix });
    },
  });
}

function readAllowEntry(entry: string | AllowEntry): Reading<AllowRule> {
  if (typeof entry === "string") return readAllowText(entry, "file");
  const target = readEntryTarget(entry);
  if (!target.ok) return target;
  const read = readEntryPorts(entry.ports);
  if (!read.ok) return read;
  const ports = read.value ?? mergePorts([{ first: 443, last: 443 }]);
  const words = entry.addresses === undefined ? [] : [entry.addresses].flat();
  const addresses = readAddressWords(words);
  if (!addresses.ok) return addresses;
  const protocol = entry.protocol ?? defaultProtocol(target.value, ports);
  const wrong = checkAllow({ target: target.value, protocol, addresses: addresses.value });
  if (wrong !== undefined) return wrong;
  const tooBroad = checkBroad(entry, target.value);
  if (tooBroad !== undefined) return tooBroad;
  const value = makeAllowRule({
    source: "file",
    target: target.value,
    ports,
    protocol,
    addresses: addresses.value ?? PUBLIC_ADDRESSES,
    ...(entry.reason === undefined ? {} : { reason: entry.reason }),
  });
  return { ok: true, value };
}

function readDenyEntry(entry: string | z.infer<typeof denySchema>): Reading<DenyRule> {
  if (typeof entry === "string") return readDenyText(entry, "file");
  const target = readEntryTarget(entry);
  if (!target.ok) return target;
  const ports = readEntryPorts(entry.ports);
  if (!ports.ok) return ports;
  const value = makeDenyRule({
    source: "file",
    target: target.value,
    ports: ports.value ?? EVERY_PORT,
    ...(entry.reason === undefined ? {} : { reason: entry.reason }),
  });
  return { ok: true, value };
}

function checkBroad(entry: AllowEntry, target: RuleTarget) {
  const why = explainBroad(target);
  if (why === undefined || (entry.broad === true && entry.reason !== undefined)) return undefined;
  const fix = "Name the hosts, or add `broad: true` and a `reason`.";
  return { ok: false as const, problem: `the rule is too broad: ${why}`, fix };
}

function readEntryTarget(entry: {
  host?: string | undefined;
  cidr?: string | undefined;
}): Reading<RuleTarget> {
  const fix = "Give each rule either `host` or `cidr`.";
  const text = entry.host ?? entry.cidr;
  if (text === undefined) return { ok: false, problem: "the rule names no host", fix };
  if (entry.host !== undefined && entry.cidr !== undefined) {
    return { ok: false, problem: "the rule names both a host and a CIDR", fix };
  }
  const target = readTarget(text);
  if (!target.ok) return target;
  const expected = entry.host === undefined ? "range" : "host";
  if (target.value.kind === expected) return target;
  const problem = `${quoteHost(text)} is not a ${expected === "host" ? "host name" : "CIDR"}`;
  return { ok: false, problem, fix: "Use `host` for names and `cidr` for addresses." };
}

function readEntryPorts(
  ports: number | string | (number | string)[] | undefined,
): Reading<PortSet | undefined> {
  if (ports === undefined) return { ok: true, value: undefined };
  const spans = [];
  for (const port of [ports].flat()) {
    const span = parsePortSpan(String(port));
    if (span === undefined) {
      const fix = 'A port is 1 to 65535, a span such as 8000-8010, or "*".';
      return { ok: false, problem: `${quoteHost(String(port))} is not a port`, fix };
    }
    spans.push(span);
  }
  return { ok: true, value: mergePorts(spans) };
}

function take<T>(source: Source, path: Path, reading: Reading<T>): T {
  if (reading.ok) return reading.value;
  throw failAt(source, offsetOf(source.document, path), reading);
}

function failSchema(source: Source, error: z.ZodError): CattlegridError {
  const { path, issue } = deepestIssue(error.issues[0]);
  const shown = path.length === 0 ? "the file" : path.map(String).join(".");
  const keyed = issue?.code === "unrecognized_keys" ? [...path, issue.keys[0] ?? ""] : path;
  return failAt(source, offsetOf(source.document, keyed), {
    problem: `${shown}: ${issue?.message ?? "not what a policy holds"}`,
    fix: "A policy holds preset, allow and deny; see docs/egress.md for what a rule may say.",
  });
}

/** A union reports each alternative; the one that got furthest is the one the writer meant. */
function deepestIssue(
  issue: z.core.$ZodIssue | undefined,
  prefix: Path = [],
): { path: Path; issue: z.core.$ZodIssue | undefined } {
  const path = [...prefix, ...(issue?.path ?? [])];
  if (issue?.code !== "invalid_union") return { path, issue };
  const inner = issue.errors
    .flat()
    .filter((each) => each.code !== "invalid_type" || each.path.length > 0);
  return inner[0] === undefined ? { path, issue } : deepestIssue(inner[0], path);
}

/** Where a value stands in the text; for a value that is not there, where its nearest parent stands. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
      if (pair === undefined) return offset;
      offset = rangeStart(pair.key, offset);
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = rangeStart(node, offset);
    }
  }
  return offset;
}

function rangeStart(node: unknown, fallback: number): number {
  return (node as Partial<Node> | undefined)?.range?.[0] ?? fallback;
}

function failAt(source: Source, offset: number, found: { problem: string; fix: string }) {
  const { line, col } = source.lines.linePos(offset);
  const place = `${source.path}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  return new CattlegridError("POLICY_INVALID", `${place}: ${found.problem}`, {
    hint: found.fix,
    details: { path: source.path, line: Math.max(line, 1), column: Math.max(col, 1) },
  });
}
