import { z } from "zod";

/** What each file of a workspace held when its sandbox began. */
export const beginningSchema = z.strictObject({
  version: z.literal(1),
  begunAtNs: z.string(),
  /** By path: permission bits in octal, `git` or `text`, and the object or SHA-256 that names the content. */
  files: z.record(z.string(), z.string()),
});
export type Beginning = z.infer<typeof beginningSchema>;
