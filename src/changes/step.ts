import { z } from "zod";

/** One step that brings the host's tree nearer to the sandbox's. Each can be repeated, and undone. */
export const stepSchema = z.discriminatedUnion("do", [
  /** A file or link goes: into the staging directory, from where it can come back. */
  z.strictObject({
    do: z.literal("remove"),
    path: z.string(),
    stamp: z.string(),
    item: z.string(),
  }),
  z.strictObject({ do: z.literal("rmdir"), path: z.string(), mode: z.int() }),
  z.strictObject({ do: z.literal("mkdir"), path: z.string(), mode: z.int() }),
  /** A prepared file or link comes, in the place of `stamp` or of nothing. */
  z.strictObject({
    do: z.literal("put"),
    path: z.string(),
    item: z.string(),
    identity: z.string(),
    stamp: z.string().nullable(),
    /** The prepared one's own stamp; a journal of before it was noted has none. */
    made: z.string().exactOptional(),
  }),
  z.strictObject({ do: z.literal("chmod"), path: z.string(), mode: z.int(), before: z.int() }),
]);
export type Step = z.infer<typeof stepSchema>;
