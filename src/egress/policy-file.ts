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
import type { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import { readAllowEntry, readDenyEntry } from "./policy-entry.ts";
import { policySchema } from "./policy-schema.ts";
import type { PolicyPreset } from "./policy.ts";
import type { Reading } from "./rule-text.ts";
import type { AllowRule, DenyRule, RuleSource } from "./rule.ts";

export interface PolicyFile {
  preset?: PolicyPreset;
  allow: readonly AllowRule[];
  deny: readonly DenyRule[];
}

type Path = readonly PropertyKey[];

/**
 * Reads the text of a policy file. Throws POLICY_INVALID naming file, line, column and the fix; a file
 * that cannot be read as a whole is an error and never a policy that allows more than it says.
 */
export function readPolicyFile(
  file: { path: string; text: string },
  from: RuleSource = "file",
): PolicyFile {
  const lines = new LineCounter();
  const document = parseDocument(file.text, {
    lineCounter: lines,
    uniqueKeys: true,
    logLevel: "error",
  });
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
  const parsed = policySchema.safeParse(document.toJS());
  if (!parsed.success) throw failSchema(source, parsed.error);
  const { preset, allow = [], deny = [] } = parsed.data;
  return {
    ...(preset === undefined ? {} : { preset }),
    allow: allow.map((entry, index) => take(source, ["allow", index], readAllowEntry(entry, from))),
    deny: deny.map((entry, index) => take(source, ["deny", index], readDenyEntry(entry, from))),
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
