import { z } from "zod";

/** A path that a session made and the host would have run, moved out of the workspace. */
export const quarantinedPathSchema = z
  .object({
    id: z.string(),
    owner: z.string(),
    sandboxId: z.string(),
    /** The sandbox's name when it happened. */
    sandbox: z.string(),
    workspace: z.string(),
    /** Relative to the workspace. */
    path: z.string(),
    reason: z.string(),
    movedAt: z.string(),
  })
  .meta({ id: "QuarantinedPath" });
export type QuarantinedPath = z.infer<typeof quarantinedPathSchema>;

export const quarantineSchema = z
  .object({ paths: z.array(quarantinedPathSchema).readonly() })
  .meta({ id: "Quarantine" });
export type QuarantineList = z.infer<typeof quarantineSchema>;
