import { z } from "zod";

/** An error on the wire: RFC 9457 problem details, sent as `application/problem+json`. */
export const problemSchema = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    /** Stable code of `docs/errors.md`. */
    code: z.string(),
    detail: z.string(),
    hint: z.string(),
    fault: z.enum(["user", "provider", "internal"]),
    details: z.record(z.string(), z.unknown()).exactOptional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof problemSchema>;
