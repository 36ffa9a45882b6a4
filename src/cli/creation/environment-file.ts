import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CattlegridError } from "../../errors/error.ts";
import type { Caller } from "../caller.ts";
import type { EnvironmentEntry } from "./environment.ts";

/** The variables of `--env-file` and then of `-e`: the later ones count. */
export async function listVariables(
  flags: { env: readonly string[]; "env-file": readonly string[] },
  { directory }: Pick<Caller, "directory">,
): Promise<readonly EnvironmentEntry[]> {
  const files = flags["env-file"].map((path) => readEnvironmentFile(resolve(directory, path)));
  const given = flags.env.map((text) => ({ text, place: "-e" }));
  return [...(await Promise.all(files)).flat(), ...given];
}

/**
 * As other tools write it: `NAME=VALUE`, the value as it stands, without quotes or `$` being read; `NAME` alone takes the
 * shell's own; lines that are empty or begin with `#` are passed over. Throws ENVIRONMENT_INVALID with the line, and repeats
 * no value.
 */
export async function readEnvironmentFile(path: string): Promise<readonly EnvironmentEntry[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`;
    throw new CattlegridError("ENVIRONMENT_INVALID", `The file ${path} of --env-file ${why}.`, {
      cause: error,
      hint: "Let --env-file name a file of NAME=VALUE lines.",
    });
  }
  if (!isUtf8(bytes)) {
    throw new CattlegridError("ENVIRONMENT_INVALID", `${path} is not UTF-8 text.`);
  }
  const lines = bytes
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/);
  return lines.flatMap((line, index) => {
    const text = line.trimStart();
    const place = `${path}:${index + 1}`;
    return text === "" || text.startsWith("#") ? [] : [{ text, place }];
  });
}
