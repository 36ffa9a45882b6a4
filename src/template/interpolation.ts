import type { ParameterValue } from "../protocol/template-choice.ts";

export type ParameterValues = Readonly<Record<string, ParameterValue>>;

/** `$${parameters.NAME}` is the text itself, without its first character. */
const REFERENCE = /\$?\$\{parameters\.([^}]*)\}/g;
const WHOLE = /^\$\{parameters\.([^}]*)\}$/;

/** The names of the parameters whose values stand in a text. */
export function findReferences(text: string): readonly string[] {
  return [...text.matchAll(REFERENCE)]
    .filter(([found]) => !found.startsWith("$$"))
    .map(([, name = ""]) => name);
}

/** The parameter whose value is all there is of a text; undefined for any other text. */
export function wholeReference(text: string): string | undefined {
  return WHOLE.exec(text)?.[1];
}

/** Puts values in. What names no parameter stays as it is: `checkReferences` has refused it. */
export function fillText(text: string, values: ParameterValues): string {
  return text.replaceAll(REFERENCE, (found, name: string) => {
    if (found.startsWith("$$")) return found.slice(1);
    return Object.hasOwn(values, name) ? String(values[name]) : found;
  });
}

/** The same for every text in plain data; keys stay as they are. */
export function fillData<T>(data: T, values: ParameterValues): T {
  return mapTexts(data, (text) => fillText(text, values)) as T;
}

function mapTexts(data: unknown, change: (text: string) => string): unknown {
  if (typeof data === "string") return change(data);
  if (Array.isArray(data)) return data.map((each) => mapTexts(each, change));
  if (typeof data !== "object" || data === null) return data;
  const entries = Object.entries(data).map(([name, value]) => [name, mapTexts(value, change)]);
  return Object.fromEntries(entries);
}
