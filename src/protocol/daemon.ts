import { z } from "zod";

/** Answer of `GET /v1/version`. */
export const daemonVersionSchema = z
  .object({
    /** Version of the program the daemon runs. */
    version: z.string(),
    api: z.object({ major: z.int(), minor: z.int() }),
    pid: z.int(),
    startedAt: z.string(),
    stateDirectory: z.string(),
    sandboxesRunning: z.int(),
    sessionsOpen: z.int(),
  })
  .meta({ id: "DaemonVersion" });
export type DaemonVersion = z.infer<typeof daemonVersionSchema>;

/** Of an operation that answers with its status alone, in an empty document. */
export const acceptedSchema = z.object({}).meta({ id: "Accepted" });

/** Answer of `POST /v1/reset`. */
export const totalRemovalSchema = z
  .object({
    /** Providers that did not let what sandboxes left be removed: by id, with the reason. */
    unreached: z.array(z.object({ provider: z.string(), reason: z.string() })).readonly(),
  })
  .meta({ id: "TotalRemoval" });
export type TotalRemoval = z.infer<typeof totalRemovalSchema>;
