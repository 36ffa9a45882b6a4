import { CattlegridError } from "../../errors/error.ts";
import type { Bindings } from "../../protocol/secret.ts";
import { SECRET_NAME } from "../../protocol/secret-limits.ts";

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `--secret VARIABLE=NAME`, or `--secret NAME` where both are the same. Absent when there is none. */
export function describeBindings(texts: readonly string[]): { bindings?: Bindings } {
  if (texts.length === 0) return {};
  return { bindings: Object.fromEntries(texts.map(readBinding)) };
}

function readBinding(text: string): [string, string] {
  const equals = text.indexOf("=");
  const variable = equals === -1 ? text : text.slice(0, equals);
  const name = text.slice(equals + 1);
  if (VARIABLE.test(variable) && SECRET_NAME.test(name)) return [variable, name];
  // SECURITY: what stands here may be a value that somebody put in the place of a name.
  const message = "--secret takes a variable and the name of a secret: VARIABLE=NAME.";
  throw new CattlegridError("USAGE", message, {
    hint: "`cattlegrid secret ls` lists the names. A value is given to `cattlegrid secret set`.",
  });
}
