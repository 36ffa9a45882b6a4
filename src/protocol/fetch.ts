import { z } from "zod";

/** `POST /v1/sandboxes/{id}/fetch`. */
export const fetchSchema = z
  .strictObject({
    /** Held paths that a person has read and lets through, exactly as `held` names them. */
    approve: z.array(z.string()).optional(),
  })
  .meta({ id: "Fetch" });
export type Fetch = z.infer<typeof fetchSchema>;

/** What came of fetching the work of a sandbox in mode `clone` into the user's repository. */
export const fetchedSchema = z
  .object({
    /** `held`: the branch stays where it was; what came waits under `heldRef`, which nothing checks out. */
    outcome: z.enum(["unchanged", "fetched", "held"]),
    branch: z.string(),
    heldRef: z.string().optional(),
    commit: z.string(),
    /** The last commit holds what lay uncommitted inside. */
    hasUncommitted: z.boolean(),
    /** Branches inside that were not fetched. */
    otherBranches: z.array(z.string()),
    /** How many paths differ from where the clone began. */
    changes: z.number(),
    held: z.array(z.object({ path: z.string(), reasons: z.array(z.string()) })),
  })
  .meta({ id: "Fetched" });
export type Fetched = z.infer<typeof fetchedSchema>;
