import { open, rm } from "node:fs/promises";
import { CattlegridError } from "../errors/error.ts";
import { replaceFile } from "../platform/replaced-file.ts";
import type { KeyPlace } from "./key-place.ts";

/**
 * A file beside the vault. SECURITY: it protects against who gets the sealed files without it (a backup, a synchronised
 * folder), and not against who can read everything of this user.
 */
export function createKeyFile(path: string): KeyPlace {
  return {
    id: "file",
    title: path,
    load: () => readPrivateFile(path),
    store: (text) => replaceFile(path, `${text}\n`, `${path}.new`),
    clear: async () => rm(path, { force: true }),
    refusal: async () => undefined,
  };
}

async function readPrivateFile(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unavailable(`${path} cannot be read`, error);
  }
  try {
    const { mode, uid } = await file.stat();
    // SECURITY: a key that others could read is a key that others have; somebody should know.
    if ((mode & 0o077) !== 0) throw unavailable(`${path} can be read by other users`);
    if (uid !== process.getuid?.()) throw unavailable(`${path} belongs to user ${uid}`);
    return (await file.readFile("utf8")).trim();
  } finally {
    await file.close();
  }
}

function unavailable(why: string, cause?: unknown): CattlegridError {
  return new CattlegridError("VAULT_KEY_UNAVAILABLE", `The key of the vault is not used: ${why}.`, {
    hint: "Make the file yours alone (chmod 600). If others may have read it, run `cattlegrid secret rotate` after.",
    ...(cause === undefined ? {} : { cause }),
  });
}
