import { randomBytes } from "node:crypto";
import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";

const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;

export interface VaultKey {
  /** 16 hexadecimal digits; says which key sealed a value, and nothing about the key. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** The key that seals, first, and the earlier ones that some value may still be sealed with. */
export type KeySet = readonly [VaultKey, ...VaultKey[]];

const keySetSchema = z.object({
  version: z.literal(1),
  keys: z
    .array(z.object({ id: z.string().regex(/^[0-9a-f]{16}$/), key: z.base64().length(44) }))
    .min(1),
});

export function createKey(): VaultKey {
  return { id: randomBytes(KEY_ID_BYTES).toString("hex"), bytes: randomBytes(KEY_BYTES) };
}

/** One line. SECURITY: these are the keys themselves; for a key place and nothing else. */
export function writeKeySet(keys: KeySet): string {
  const written = keys.map(({ id, bytes }) => ({ id, key: Buffer.from(bytes).toString("base64") }));
  return JSON.stringify({ version: 1, keys: written });
}

/** Throws VAULT_KEY_LOST for a text that holds no keys; `place` says where it was. */
export function readKeySet(text: string, place: string): KeySet {
  const read = keySetSchema.safeParse(parseJson(text));
  const [first, ...rest] = read.data?.keys ?? [];
  if (first !== undefined) return [toKey(first), ...rest.map(toKey)];
  // SECURITY: no part of the text goes into the error.
  throw new CattlegridError("VAULT_KEY_LOST", `${place} does not hold the key of the vault.`);
}

function toKey({ id, key }: { id: string; key: string }): VaultKey {
  return { id, bytes: Buffer.from(key, "base64") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
