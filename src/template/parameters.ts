import { CattlegridError } from "../errors/error.ts";
import { findNearest } from "../platform/nearest-name.ts";
import { SECRET_NAME } from "../protocol/secret-limits.ts";
import type { TemplateParameter } from "../protocol/template-file.ts";
import type { ParameterValue } from "../protocol/template-choice.ts";
import type { ParameterValues } from "./interpolation.ts";
import { matchesWhole } from "./pattern.ts";

export type Parameters = Readonly<Record<string, TemplateParameter>>;

/** The earlier counts; what none has takes its default. */
export interface Answers {
  given: ParameterValues;
  /** What a sandbox that exists was made with. */
  kept?: ParameterValues;
}

const TEXT_LENGTH_MAX = 16_384;
const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const BOOLEANS = new Map([
  ["true", true],
  ["yes", true],
  ["false", false],
  ["no", false],
]);

/** The value of every parameter. Throws PARAMETER_INVALID, or PARAMETER_MISSING naming all that have none. */
export function answerParameters(parameters: Parameters, answers: Answers): ParameterValues {
  const { given, kept = {} } = answers;
  for (const name of Object.keys(given)) refuseUnknown(parameters, name);
  const values: Record<string, ParameterValue> = {};
  const missing: string[] = [];
  for (const [name, parameter] of Object.entries(parameters)) {
    const value = ownValue(given, name) ?? ownValue(kept, name) ?? parameter.default;
    if (value === undefined) missing.push(name);
    else values[name] = readValue(name, parameter, value);
  }
  if (missing.length > 0) throw missingValues(missing);
  return values;
}

/** Values as their parameters read them. Throws PARAMETER_INVALID. */
export function readAnswers(parameters: Parameters, given: ParameterValues): ParameterValues {
  const entries = Object.entries(given).map(
    ([name, value]) => [name, readValue(name, refuseUnknown(parameters, name), value)] as const,
  );
  return Object.fromEntries(entries);
}

/** Throws PARAMETER_IMMUTABLE for a value that differs from what a sandbox has, of a parameter that stays. */
export function refuseFixed(parameters: Parameters, { given, kept = {} }: Answers): void {
  for (const [name, value] of Object.entries(given)) {
    const parameter = refuseUnknown(parameters, name);
    if (parameter.mutable === true || readValue(name, parameter, value) === kept[name]) continue;
    const mutable = Object.entries(parameters).flatMap(([each, { mutable: isMutable }]) =>
      isMutable === true ? [each] : [],
    );
    throw new CattlegridError("PARAMETER_IMMUTABLE", `The parameter ${name} stays as it is.`, {
      ...(mutable.length === 0
        ? {}
        : {
            hint: `Of this template ${mutable.join(", ")} can be changed; for ${name} make a new sandbox.`,
          }),
      details: { parameter: name },
    });
  }
}

/** A value of the parameter's type. Throws PARAMETER_INVALID. */
export function readValue(
  name: string,
  parameter: TemplateParameter,
  value: ParameterValue,
): ParameterValue {
  const read = READERS[parameter.type] as (
    parameter: TemplateParameter,
    value: ParameterValue,
  ) => ParameterValue | Refusal;
  const found = read(parameter, value);
  if (typeof found !== "object") return found;
  // SECURITY: whoever gives a secret where its name is asked for finds it in no message and no log.
  const isPrivate = parameter.type === "secret" || parameter.type === "login";
  const shown = isPrivate ? "" : ` ${JSON.stringify(value)}`;
  throw new CattlegridError("PARAMETER_INVALID", `The parameter ${name}:${shown} ${found.why}.`, {
    hint: found.fix,
    details: { parameter: name },
  });
}

interface Refusal {
  why: string;
  fix: string;
}

type Readers = {
  [Type in TemplateParameter["type"]]: (
    parameter: Extract<TemplateParameter, { type: Type }>,
    value: ParameterValue,
  ) => ParameterValue | Refusal;
};

const READERS: Readers = {
  string({ pattern, maxLength = TEXT_LENGTH_MAX }, value) {
    const text = String(value);
    if (text.includes("\0")) return { why: "holds a NUL", fix: "Leave that character out." };
    if (text.length > maxLength) {
      return { why: "is too long", fix: `Give at most ${maxLength} characters.` };
    }
    if (pattern === undefined || matchesWhole(pattern, text) === true) return text;
    return { why: "does not match", fix: `Give a value that matches ${pattern}.` };
  },
  number({ min = -Infinity, max = Infinity, integer }, value) {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isFinite(number)) {
      return { why: "is no number", fix: "Give a number such as 4." };
    }
    if (integer === true && !Number.isInteger(number)) {
      return { why: "is no whole number", fix: "Give a number such as 4." };
    }
    if (number >= min && number <= max) return number;
    return { why: "is out of range", fix: describeRange(min, max) };
  },
  boolean(_, value) {
    const read = typeof value === "string" ? BOOLEANS.get(value.toLowerCase()) : value;
    return typeof read === "boolean"
      ? read
      : { why: "is neither true nor false", fix: "Give true or false." };
  },
  choice({ choices }, value) {
    const names = choices.map((choice) => (typeof choice === "string" ? choice : choice.value));
    const text = String(value);
    if (names.includes(text)) return text;
    const nearest = findNearest(text, names);
    const guess = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
    return { why: "is none of the choices", fix: `Give one of ${names.join(", ")}.${guess}` };
  },
  secret(_, value) {
    if (typeof value === "string" && SECRET_NAME.test(value)) return value;
    return {
      why: "what was given is no name of a secret",
      fix: "Give the name under which the vault keeps it, never the secret: `cattlegrid secret ls`.",
    };
  },
  login(_, value) {
    if (typeof value === "string" && PROFILE_NAME.test(value)) return value;
    return {
      why: "what was given is no name of a login profile",
      fix: "`cattlegrid login --status` lists the profiles.",
    };
  },
};

function describeRange(min: number, max: number): string {
  if (max === Infinity) return `Give at least ${min}.`;
  return min === -Infinity ? `Give at most ${max}.` : `Give a number from ${min} to ${max}.`;
}

function ownValue(values: ParameterValues, name: string): ParameterValue | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function refuseUnknown(parameters: Parameters, name: string): TemplateParameter {
  const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  if (parameter !== undefined) return parameter;
  const names = Object.keys(parameters);
  const nearest = findNearest(name, names);
  const guess = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
  const message = `The template has no parameter ${name}.${guess}`;
  throw new CattlegridError("PARAMETER_INVALID", message, {
    hint: names.length === 0 ? "It has none at all." : `It has ${names.join(", ")}.`,
    details: { parameter: name },
  });
}

function missingValues(names: readonly string[]): CattlegridError {
  const what = names.length === 1 ? "the parameter" : "the parameters";
  const message = `The template asks for ${what} ${names.join(", ")}.`;
  return new CattlegridError("PARAMETER_MISSING", message, {
    hint: `Give ${names.length === 1 ? "it" : "them"} with ${names.map((name) => `--param ${name}=…`).join(" ")}.`,
    details: { parameters: names },
  });
}
