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
import type { ErrorCode } from "../errors/codes.ts";
import { CattlegridError } from "../errors/error.ts";
import { describeIssues, parseWithout } from "./schema-issues.ts";
import { joinProblems } from "./joined-problems.ts";

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

/** A file as far as it can be read, and what is wrong with the rest of it. */
export interface ExaminedFile<T> {
  /** Without what is wrong; undefined when nothing can be made of it. */
  file: YamlFile<T> | undefined;
  problems: readonly CattlegridError[];
  /** Where something wrong was left out. */
  omitted: readonly YamlPath[];
}

interface Source {
  path: string;
  code: ErrorCode;
  document: Document.Parsed;
  lines: LineCounter;
}

/** Throws an error of the form's code that names file, line, column and the fix: a file is read as a whole or not at all. */
export function readYamlFile<Schema extends z.ZodType>(
  text: { path: string; text: string },
  form: YamlForm<Schema>,
): YamlFile<z.output<Schema>> {
  const { file, problems } = examineYamlFile(text, form);
  if (file === undefined || problems.length > 0) throw joinProblems(problems);
  return file;
}

/** The same for whoever wants to know of all that is wrong. Throws nothing. */
export function examineYamlFile<Schema extends z.ZodType>(
  { path, text }: { path: string; text: string },
  form: YamlForm<Schema>,
): ExaminedFile<z.output<Schema>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, logLevel: "error" });
  const source: Source = { path, code: form.code, document, lines };
  const unreadable = [...describeSyntax(source, form), ...findAliases(source, form)];
  if (unreadable.length > 0) return { file: undefined, problems: unreadable, omitted: [] };
  const { data, issues, omitted } = parseWithout(document.toJS(), form.schema);
  const failure = (at: YamlPath, found: YamlProblem): CattlegridError =>
    failAt(source, offsetOf(document, at), found);
  return {
    file: data === undefined ? undefined : { value: data.value, failAt: failure },
    problems: describeIssues(issues, form).map(({ at, ...found }) => failure(at, found)),
    omitted,
  };
}

function describeSyntax(
  source: Source,
  form: { kind: string; ifEmpty: string },
): CattlegridError[] {
  const { errors, warnings, contents } = source.document;
  const found = [...errors, ...warnings].map((syntax) => {
    const problem = (syntax.message.split("\n")[0] ?? "").replace(/ at line .*$/, "");
    return failAt(source, syntax.pos[0], { problem, fix: "Correct the YAML there." });
  });
  if (found.length > 0 || isMap(contents)) return found;
  return [failAt(source, 0, { problem: `the file holds no ${noun(form)}`, fix: form.ifEmpty })];
}

function noun({ kind }: { kind: string }): string {
  return kind.replace(/^an? /, "");
}

function findAliases(source: Source, form: { kind: string; noAliases: string }): CattlegridError[] {
  const found: CattlegridError[] = [];
  visit(source.document, {
    Alias(_key, node) {
      const problem = `${form.kind} has no aliases`;
      found.push(failAt(source, node.range?.[0] ?? 0, { problem, fix: form.noAliases }));
    },
  });
  return found;
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
