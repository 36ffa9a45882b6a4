import { readFile } from "node:fs/promises";
import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import { replaceFile } from "../platform/replaced-file.ts";
import type { KeyPlaceId } from "./key-place.ts";

const VERSION = 1;

const versionSchema = z.object({ version: z.int() });
const vaultFileSchema = z.object({
  version: z.literal(VERSION),
  keyPlace: z.enum(["keyring", "file"]),
  /** Id of the key that seals. */
  currentKey: z.string().regex(/^[0-9a-f]{16}$/),
});

/** `vault.json`: what one has to know before any key. Holds no secret. */
export interface VaultFile {
  keyPlace: KeyPlaceId;
  currentKey: string;
}

/** Undefined for a vault that never kept anything. Throws VAULT_TOO_NEW, VAULT_CORRUPT. */
export async function readVaultFile(path: string): Promise<VaultFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const found = parseJson(text);
  const { data } = versionSchema.safeParse(found);
  if (data !== undefined && data.version > VERSION) {
    const message = `${path} has version ${data.version}; this program knows up to ${VERSION}.`;
    throw new CattlegridError("VAULT_TOO_NEW", message);
  }
  const read = vaultFileSchema.safeParse(found);
  if (read.success) return read.data;
  throw new CattlegridError("VAULT_CORRUPT", `${path} is not what Cattlegrid wrote.`);
}

export async function writeVaultFile(path: string, content: VaultFile): Promise<void> {
  const text = `${JSON.stringify({ version: VERSION, ...content })}\n`;
  await replaceFile(path, text, `${path}.new`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
