import { z } from "zod";
import { SECRET_NAME } from "./secret-limits.ts";

export const secretNameSchema = z.string().regex(SECRET_NAME, "is no name of a secret");

const variableSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "is no name of a variable");
const lineSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !/[\0\n]/.test(text), "is not one line");

/** Variables, each with the name of the secret that it takes. */
export const bindingsSchema = z.record(variableSchema, secretNameSchema);
export type Bindings = z.infer<typeof bindingsSchema>;

/** Where a value is got each time it is used, by whoever uses it: on the caller's machine, in the caller's shell. */
export const secretReferenceSchema = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("environment"), variable: variableSchema }),
    /** Absolute path. */
    z.strictObject({ kind: z.literal("file"), path: lineSchema }),
    /** Run by `sh -c`; what it prints is the value. */
    z.strictObject({ kind: z.literal("command"), command: lineSchema }),
  ])
  .meta({ id: "SecretReference" });
export type SecretReference = z.infer<typeof secretReferenceSchema>;

/** `PUT /v1/secrets/{name}`. */
export const secretSetSchema = z
  .strictObject({
    /** SECURITY: sealed into the vault; no answer, event, log or error ever has it. */
    value: z.string().optional(),
    reference: secretReferenceSchema.optional(),
  })
  .meta({ id: "SecretSet" });
export type SecretSet = z.infer<typeof secretSetSchema>;

export const secretBindingSchema = z
  .object({
    /** Absent: whichever agents declare the variable as a credential of theirs. */
    agent: z.string().exactOptional(),
    variable: z.string(),
    /** Ids of the agents that this comes to. */
    agents: z.array(z.string()).readonly(),
  })
  .meta({ id: "SecretBinding" });
export type SecretBinding = z.infer<typeof secretBindingSchema>;

/** `POST /v1/secrets/{name}/bindings`. */
export const secretBindSchema = z
  .strictObject({ agent: z.string().optional(), variable: variableSchema })
  .meta({ id: "SecretBind" });
export type SecretBind = z.infer<typeof secretBindSchema>;

/** A secret as the API shows it: everything but what it is. */
export const secretSchema = z
  .object({
    name: z.string(),
    /** Absent: the vault holds the value. */
    reference: secretReferenceSchema.exactOptional(),
    changedAt: z.string(),
    /** Which agents are given it, for every sandbox of this user. */
    bindings: z.array(secretBindingSchema).readonly(),
    /** Why it cannot be used. */
    problem: z.object({ code: z.string(), detail: z.string() }).exactOptional(),
  })
  .meta({ id: "Secret" });
export type Secret = z.infer<typeof secretSchema>;

export const vaultKeySchema = z
  .object({
    /** `none`: nothing was ever kept. */
    place: z.enum(["keyring", "file", "none"]),
    title: z.string(),
    /** Values that an interrupted rotation left under an earlier key. */
    underEarlierKeys: z.int(),
  })
  .meta({ id: "VaultKey" });
export type VaultKey = z.infer<typeof vaultKeySchema>;

export const secretListSchema = z
  .object({ secrets: z.array(secretSchema).readonly(), key: vaultKeySchema })
  .meta({ id: "SecretList" });
export type SecretList = z.infer<typeof secretListSchema>;

/** `POST /v1/vault/rotate`. */
export const vaultRotateSchema = z
  .strictObject({
    /** Where the new key is kept. Default: the keyring where one answers, else a file. */
    keyPlace: z.enum(["keyring", "file"]).optional(),
  })
  .meta({ id: "VaultRotate" });

export const vaultRotatedSchema = z
  .object({
    /** How many values were sealed anew. */
    sealed: z.int(),
    /** Names of those that could not be read, which stay as they are. */
    left: z.array(z.string()).readonly(),
    key: vaultKeySchema,
  })
  .meta({ id: "VaultRotated" });
export type VaultRotated = z.infer<typeof vaultRotatedSchema>;

/** `details.references` of the problem SECRET_UNRESOLVED: what the caller has to get, and give as `secrets`. */
export const unresolvedSchema = z.object({
  references: z.array(
    z.object({ variable: z.string(), secret: z.string(), reference: secretReferenceSchema }),
  ),
});
export type Unresolved = z.infer<typeof unresolvedSchema>["references"][number];
