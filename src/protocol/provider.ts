import { z } from "zod";
import { egressSchema, statedIsolationSchema, workspaceModeSchema } from "./sandbox.ts";

/** One sandbox provider of `GET /v1/providers`, as it declares itself; `GET /v1/doctor` tells what this machine gives of it. */
export const providerSummarySchema = z
  .object({
    id: z.string(),
    /** What it takes from the calling shell or the vault, by the names of variables. Absent: an older daemon, nothing. */
    variables: z.array(z.string()).readonly().optional(),
    capabilities: z.object({
      /** The default first. */
      isolation: z.array(statedIsolationSchema).readonly(),
      workspaceModes: z.array(workspaceModeSchema).readonly(),
      /** Whether the workspace inside is the user's own directory, or a copy. Absent: an older daemon, `shared`. */
      workspaceFiles: z.enum(["shared", "copied"]).optional(),
      /** Whether agents are installed once for many sandboxes. Absent: an older daemon, true. */
      layers: z.boolean().optional(),
      egress: egressSchema,
      limits: z.array(z.enum(["cpus", "memory", "pids"])).readonly(),
      ports: z.boolean(),
      snapshot: z.boolean(),
      warmPool: z.boolean(),
    }),
  })
  .meta({ id: "ProviderSummary" });
export type ProviderSummary = z.infer<typeof providerSummarySchema>;

/** The default first. */
export const providerListSchema = z
  .object({ providers: z.array(providerSummarySchema).readonly() })
  .meta({ id: "ProviderList" });
export type ProviderList = z.infer<typeof providerListSchema>;

/** `PUT /v1/providers/{id}/variables`. */
export const providerVariablesSchema = z
  .strictObject({
    /** SECURITY: kept in memory until the daemon ends; no answer, event, log or error ever has a value. */
    variables: z.record(z.string(), z.string().min(1).max(4096)),
  })
  .meta({ id: "ProviderVariables" });
export type ProviderVariables = z.infer<typeof providerVariablesSchema>;
