import { z } from "zod";
import { mirrorsSchema } from "./sandbox.ts";

/** Up to 32 letters, digits, periods, hyphens and underscores. */
export const loginProfileNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/);

/** A sign-in that is kept for every sandbox of its owner. Holds no secret. */
export const loginProfileSchema = z
  .object({
    agent: z.string(),
    profile: z.string(),
    /** `refused`: the agent's service does not take it any more. `unreadable`: the vault has it, and `problem` says more. */
    status: z.enum(["signed-in", "refused", "unreadable"]),
    /** Who signed in, as the agent says; null where it does not. */
    account: z.string().nullable(),
    savedAt: z.string().exactOptional(),
    /** Until when it can be used before it is renewed, which happens by itself. */
    renewsBefore: z.string().exactOptional(),
    problem: z.string().exactOptional(),
    /** Names of sandboxes that have a copy. */
    sandboxes: z.array(z.string()).readonly(),
  })
  .meta({ id: "LoginProfile" });
export type LoginProfile = z.infer<typeof loginProfileSchema>;

export const loginProfileListSchema = z
  .object({ profiles: z.array(loginProfileSchema).readonly() })
  .meta({ id: "LoginProfileList" });

/** `PUT /v1/logins/{agent}/{profile}`. */
export const loginImportSchema = z
  .strictObject({
    /** SECURITY: a sign-in, in base64: `tar -c . | zstd` of the agent's sign-in directory. Never stored or logged as it is. */
    bundle: z.string(),
    mirrors: mirrorsSchema.optional(),
    /** Of the agent's service; default: the agent's own choice. */
    regions: z.array(z.string()).optional(),
    installTimeoutMs: z.int().positive().optional(),
  })
  .meta({ id: "LoginImport" });
export type LoginImport = z.infer<typeof loginImportSchema>;
