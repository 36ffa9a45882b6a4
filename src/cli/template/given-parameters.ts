import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { ParameterValue } from "../../protocol/template-choice.ts";
import { type FlagValues, usage } from "../arguments.ts";
import type { PARAMETER_FLAGS } from "./template-flags.ts";

export type Parameters = Readonly<Record<string, ParameterValue>>;

const ALIASES_MAX = 20;

/** What a command line answers: `--param` over the file. Throws USAGE, and PARAMETER_INVALID for a file that cannot be read. */
export async function readParameters(
  flags: FlagValues<typeof PARAMETER_FLAGS>,
  { verb, directory }: { verb: string; directory: string },
): Promise<Parameters> {
  const file = flags["params-file"];
  const fromFile = file === undefined ? {} : await readFromFile(resolve(directory, file));
  return { ...fromFile, ...readAssignments(verb, flags.param) };
}

/** `NAME=VALUE`, each. */
export function readAssignments(verb: string, texts: readonly string[]): Parameters {
  const entries = texts.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)] as const;
    // SECURITY: what has no name might be a value that nobody else should see.
    throw usage(verb, "A parameter is given as NAME=VALUE.");
  });
  return Object.fromEntries(entries);
}

async function readFromFile(path: string): Promise<Parameters> {
  const refuse = (why: string): CattlegridError =>
    new CattlegridError("PARAMETER_INVALID", `${path} ${why}.`, {
      hint: "Write one `name: value` a line, or the same as JSON.",
      details: { path },
    });
  let text;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw refuse(`cannot be read: ${(error as Error).message}`);
  }
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text);
  const [wrong] = document.errors;
  if (wrong !== undefined)
    throw refuse(`is neither YAML nor JSON: ${wrong.message.split("\n")[0]}`);
  const values: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw refuse("holds no parameters");
  }
  for (const [name, value] of Object.entries(values)) {
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw refuse(`says of ${name} what is neither a text, a number, nor true or false`);
    }
  }
  return values as Parameters;
}
