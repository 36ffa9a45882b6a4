import { z } from "zod";
import { findNearest } from "./nearest-name.ts";

type Path = readonly PropertyKey[];

/** One thing that a schema says against a value. */
export interface FoundIssue {
  path: Path;
  message: string | undefined;
  /** A key that the schema does not know there. */
  unknownKey?: string;
}

/** Salvaging ends at the latest when everything is gone. */
const ROUNDS_MAX = 50;

/**
 * The value as a schema takes it once what is wrong has been left out, and all that is wrong. `data` is undefined when
 * nothing is left that the schema takes.
 */
export function parseWithout<Schema extends z.ZodType>(
  whole: unknown,
  schema: Schema,
): { data: { value: z.output<Schema> } | undefined; issues: FoundIssue[]; omitted: Path[] } {
  const rest = structuredClone(whole);
  const issues: FoundIssue[] = [];
  const omitted: Path[] = [];
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const parsed = schema.safeParse(rest);
    if (parsed.success) return { data: { value: parsed.data }, issues, omitted };
    const found = parsed.error.issues.flatMap((issue) => listMeant(issue));
    // What is missing because it was left out in an earlier round is said already.
    issues.push(...found.filter(({ path }) => !omitted.some((each) => isWithin(each, path))));
    for (const { path, unknownKey } of found) {
      const wrong = unknownKey === undefined ? path : [...path, unknownKey];
      if (omitted.some((each) => isWithin(each, wrong))) continue;
      const at = omit(rest, wrong);
      if (at === undefined) return { data: undefined, issues, omitted };
      omitted.push(at);
    }
  }
  return { data: undefined, issues, omitted };
}

/** A union reports each alternative; the one with the least against it is the one the writer meant. */
function listMeant(issue: z.core.$ZodIssue, prefix: Path = []): FoundIssue[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "invalid_union") {
    const [meant] = issue.errors
      .filter((issues) => !issues.some(isOfAnotherKind))
      .toSorted((left, right) => left.length - right.length);
    if (meant?.[0] === undefined) return [{ path, message: issue.message }];
    return meant.flatMap((each) => listMeant(each, path));
  }
  if (issue.code !== "unrecognized_keys") return [{ path, message: issue.message }];
  return issue.keys.map((unknownKey) => ({
    path,
    message: `Unrecognized key: "${unknownKey}"`,
    unknownKey,
  }));
}

/** A text where a map stands, or the other way round. */
function isOfAnotherKind({ code, path }: z.core.$ZodIssue): boolean {
  return code === "invalid_type" && path.length === 0;
}

/** Takes out of a value what stands at a path, or what it would stand in, and says where; undefined for the whole of it. */
function omit(data: unknown, path: Path): Path | undefined {
  const parents: Record<PropertyKey, unknown>[] = [];
  let value = data;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !(step in value)) break;
    parents.push(value as Record<PropertyKey, unknown>);
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  // The places of the other entries of a list have to stay what they are.
  while (Array.isArray(parents.at(-1))) parents.pop();
  const parent = parents.at(-1);
  const key = path[parents.length - 1];
  if (parent === undefined || key === undefined) return undefined;
  delete parent[key];
  return path.slice(0, parents.length);
}

function isWithin(outer: Path, path: Path): boolean {
  return outer.every((step, index) => step === path[index]);
}

/** What is said of each issue, at its place. */
export function describeIssues(
  issues: readonly FoundIssue[],
  form: { schema: z.ZodType; kind: string; contents: string },
): { at: Path; problem: string; fix: string }[] {
  const nearest = (issue: FoundIssue): string | undefined =>
    issue.unknownKey === undefined
      ? undefined
      : findNearest(issue.unknownKey, listKeys(form.schema, issue.path));
  // A key that is misspelt is missing under its right name, too.
  const meant = issues.flatMap((issue) => {
    const name = nearest(issue);
    return name === undefined ? [] : [[...issue.path, name].join("\0")];
  });
  const told = issues.filter((issue) => !meant.includes(issue.path.join("\0")));
  return told.map((issue) => {
    const { path, message, unknownKey } = issue;
    const shown = path.length === 0 ? "the file" : path.map(String).join(".");
    const name = nearest(issue);
    const guess = name === undefined ? "" : `; did you mean ${name}?`;
    return {
      at: unknownKey === undefined ? path : [...path, unknownKey],
      problem: `${shown}: ${message ?? `not what ${form.kind} holds`}${guess}`,
      fix: form.contents,
    };
  });
}

/** The keys that a schema knows at a place. */
function listKeys(schema: z.ZodType, path: Path): readonly string[] {
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
