import { z } from "zod";
import { CattlegridError } from "../errors/error.ts";
import { secretReferenceSchema, type SecretReference, type SecretSet } from "../protocol/secret.ts";
import { SECRET_BYTES_MAX } from "../protocol/secret-limits.ts";

/** What the vault keeps of a secret. */
export type StoredSecret = { value: string } | { reference: SecretReference };

const storedSchema = z.union([
  z.object({ version: z.literal(1), value: z.string() }),
  z.object({ version: z.literal(1), reference: secretReferenceSchema }),
]);

export function writeStoredSecret(secret: StoredSecret): Uint8Array {
  return Buffer.from(JSON.stringify({ version: 1, ...secret }));
}

/** Throws VAULT_TOO_NEW for a form of a later program. */
export function readStoredSecret(bytes: Uint8Array, name: string): StoredSecret {
  const read = storedSchema.safeParse(JSON.parse(Buffer.from(bytes).toString("utf8")), {
    reportInput: false,
  });
  if (read.success) return read.data;
  const message = `The secret ${name} was kept in a form that this program does not know.`;
  throw new CattlegridError("VAULT_TOO_NEW", message);
}

/** Throws SECRET_INVALID, which repeats nothing of the value. */
export function checkSecret({ value, reference }: SecretSet, name: string): StoredSecret {
  const refuse = (why: string): CattlegridError =>
    new CattlegridError("SECRET_INVALID", `The value of ${name} is not kept: ${why}.`);
  if ((value === undefined) === (reference === undefined)) {
    throw refuse("give either a value or a reference");
  }
  if (reference !== undefined) return { reference };
  if (value === undefined || value === "") throw refuse("it is empty");
  if (value.includes("\0") || !value.isWellFormed()) throw refuse("it is not text");
  if (Buffer.byteLength(value) > SECRET_BYTES_MAX) {
    throw refuse(`it has more than ${SECRET_BYTES_MAX} bytes`);
  }
  return { value };
}
