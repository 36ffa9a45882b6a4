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
import type { ErrorCode } from "../errors/codes.ts";
import { CattlegridError } from "../errors/error.ts";
import { findNearest } from "./nearest-name.ts";

export type YamlPath = readonly PropertyKey[];

/** What is wrong at a place of a file, and what its writer does about it. */
export interface YamlProblem {
  problem: string;
  fix: string;
}

/** How the files of one kind are read and what is said of a wrong one. */
export interface YamlForm<Schema extends z.ZodType> {
  schema: Schema;
  /** Of every error about such a file. */
  code: ErrorCode;
  /** What it is called in messages, with its article: `a policy`. */
  kind: string;
  /** Why an alias, which makes one place of a file speak for another, is not wanted here. */
  noAliases: string;
  /** What to do about a file that holds nothing. */
  ifEmpty: string;
  /** What such a file holds, for whoever wrote something else. */
  contents: string;
}

/** A file that was read, and where each of its values stands. */
export interface YamlFile<T> {
  value: T;
  /** An error about the value at `path`, with the file's line and column. */
  failAt(path: YamlPath, found: YamlProblem): CattlegridError;
}

interface Source {
  path: string;
  code: ErrorCode;
  document: Document.Parsed;
  lines: LineCounter;
}

/** Throws an error of the form's code that names file, line, column and the fix: a file is read as a whole or not at all. */
export function readYamlFile<Schema extends z.ZodType>(
  file: { path: string; text: string },
  form: YamlForm<Schema>,
): YamlFile<z.output<Schema>> {
  const lines = new LineCounter();
  const document = parseDocument(file.text, {
    lineCounter: lines,
    uniqueKeys: true,
    logLevel: "error",
  });
  const source: Source = { path: file.path, code: form.code, document, lines };
  const [syntax] = [...document.errors, ...document.warnings];
  if (syntax !== undefined) {
    const problem = (syntax.message.split("\n")[0] ?? "").replace(/ at line .*$/, "");
    throw failAt(source, syntax.pos[0], { problem, fix: "Correct the YAML there." });
  }
  if (!isMap(document.contents)) {
    throw failAt(source, 0, { problem: `the file holds no ${noun(form)}`, fix: form.ifEmpty });
  }
  refuseAliases(source, form);
  const parsed = form.schema.safeParse(document.toJS());
  if (!parsed.success) throw failSchema(source, form, parsed.error);
  return {
    value: parsed.data,
    failAt: (path, found) => failAt(source, offsetOf(document, path), found),
  };
}

function noun({ kind }: { kind: string }): string {
  return kind.replace(/^an? /, "");
}

function refuseAliases(source: Source, form: { kind: string; noAliases: string }): void {
  visit(source.document, {
    Alias(_key, node) {
      const problem = `${form.kind} has no aliases`;
      throw failAt(source, node.range?.[0] ?? 0, { problem, fix: form.noAliases });
    },
  });
}

function failSchema(
  source: Source,
  form: { schema: z.ZodType; kind: string; contents: string },
  error: z.ZodError,
): CattlegridError {
  const { path, issue } = deepestIssue(firstMeant(error.issues));
  const shown = path.length === 0 ? "the file" : path.map(String).join(".");
  const problem = `${shown}: ${issue?.message ?? `not what ${form.kind} holds`}`;
  const [key] = issue?.code === "unrecognized_keys" ? issue.keys : [];
  if (key === undefined) {
    return failAt(source, offsetOf(source.document, path), { problem, fix: form.contents });
  }
  const nearest = findNearest(key, listKeys(form.schema, path));
  return failAt(source, offsetOf(source.document, [...path, key]), {
    problem: nearest === undefined ? problem : `${problem}; did you mean ${nearest}?`,
    fix: form.contents,
  });
}

/** The keys that a schema knows at a place. */
function listKeys(schema: z.ZodType, path: YamlPath): readonly string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return listKeys(schema.unwrap() as z.ZodType, path);
  }
  if (schema instanceof z.ZodUnion) {
    return schema.options.flatMap((option) => listKeys(option as z.ZodType, path));
  }
  const [step, ...rest] = path;
  if (schema instanceof z.ZodObject) {
    if (step === undefined) return Object.keys(schema.shape);
    const next = (schema.shape as Record<PropertyKey, z.ZodType | undefined>)[step];
    return next === undefined ? [] : listKeys(next, rest);
  }
  if (step === undefined) return [];
  if (schema instanceof z.ZodRecord) return listKeys(schema.valueType as z.ZodType, rest);
  return schema instanceof z.ZodArray ? listKeys(schema.element as z.ZodType, rest) : [];
}

/** A union reports each alternative; the one with the least against it is the one the writer meant. */
function deepestIssue(
  issue: z.core.$ZodIssue | undefined,
  prefix: YamlPath = [],
): { path: YamlPath; issue: z.core.$ZodIssue | undefined } {
  const path = [...prefix, ...(issue?.path ?? [])];
  if (issue?.code !== "invalid_union") return { path, issue };
  const [meant] = issue.errors
    .filter((issues) => !issues.some(isOfAnotherKind))
    .toSorted((left, right) => left.length - right.length);
  return meant?.[0] === undefined ? { path, issue } : deepestIssue(firstMeant(meant), path);
}

/** A key that is misspelt is missing under its right name, too. */
function firstMeant(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  return issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0];
}

/** A text where a map stands, or the other way round. */
function isOfAnotherKind({ code, path }: z.core.$ZodIssue): boolean {
  return code === "invalid_type" && path.length === 0;
}

/** Where a value stands in the text; for a value that is not there, where its nearest parent stands. */
function offsetOf(document: Document.Parsed, path: YamlPath): number {
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

function failAt(source: Source, offset: number, found: YamlProblem): CattlegridError {
  const { line, col } = source.lines.linePos(offset);
  const place = `${source.path}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  return new CattlegridError(source.code, `${place}: ${found.problem}`, {
    hint: found.fix,
    details: { path: source.path, line: Math.max(line, 1), column: Math.max(col, 1) },
  });
}
