import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { CattlegridError } from "../../errors/error.ts";
import { SECRET_NAME } from "../../protocol/secret-limits.ts";
import { tell } from "../caller.ts";
import type { VerbContext } from "../verb.ts";
import { keepSecret } from "./changes.ts";

/** Keeps each variable of a file as a secret of its name. What cannot be one is told and left out, and the status is 1. */
export async function importSecrets(
  file: string,
  agents: readonly string[],
  context: VerbContext,
): Promise<number> {
  const { caller } = context;
  const path = resolve(caller.directory, file);
  const variables = Object.entries(parseEnv(await readText(path)));
  if (variables.length === 0) {
    throw new CattlegridError("SECRET_INVALID", `${path} holds no NAME=VALUE line.`);
  }
  let status = 0;
  for (const [name, value] of variables) {
    if (SECRET_NAME.test(name) && value !== undefined && value !== "") {
      const wish = { name, agents, variable: agents.length === 0 ? undefined : name };
      await keepSecret(wish, { value }, context);
      continue;
    }
    const why = value === "" ? "it is empty" : "its name is none of a secret";
    tell(caller, `cattlegrid: ${JSON.stringify(name)} is left out: ${why}.`);
    status = 1;
  }
  tell(
    caller,
    `cattlegrid: ${path} still holds these values in clear; remove it when nothing needs it.`,
  );
  return status;
}

async function readText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new CattlegridError("SECRET_INVALID", `The file ${path} ${why}.`, { cause: error });
  }
  if (isUtf8(bytes)) return bytes.toString("utf8").replace(/^\uFEFF/, "");
  throw new CattlegridError("SECRET_INVALID", `${path} is not UTF-8 text.`);
}
