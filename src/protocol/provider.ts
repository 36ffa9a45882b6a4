import { z } from "zod";
import { egressSchema, statedIsolationSchema, workspaceModeSchema } from "./sandbox.ts";

/**
 * One thing that a sandbox provider is told of a user's account or machine. From these the keys of configuration files, their schema and
 * their page are made.
 */
export const providerSettingSchema = z
  .object({
    /** Below `providers: ID:` of a configuration file. */
    key: z.string(),
    /** Variable of the calling shell, and name of the vault's secret, that say the same. */
    variable: z.string(),
    summary: z.string(),
    /** Such a value. */
    example: z.string(),
    /** What a value in a file matches, as a regular expression. Absent: any text. */
    pattern: z.string().optional(),
    /** SECURITY: whether no file holds it in clear, and nobody is ever shown it. Absent: false. */
    isSecret: z.boolean().optional(),
  })
  .meta({ id: "ProviderSetting" });
export type ProviderSetting = Readonly<z.infer<typeof providerSettingSchema>>;

/** One sandbox provider of `GET /v1/providers`, as it declares itself; `GET /v1/doctor` tells what this machine gives of it. */
export const providerSummarySchema = z
  .object({
    id: z.string(),
    /** What it takes from the calling shell or the vault, by the names of variables. Absent: an older daemon, nothing. */
    variables: z.array(z.string()).readonly().optional(),
    /** The same with everything that is to know of each. Absent: an older daemon, which knows no keys of files. */
    settings: z.array(providerSettingSchema).readonly().optional(),
    capabilities: z.object({
      /** The default first. */
      isolation: z.array(statedIsolationSchema).readonly(),
      workspaceModes: z.array(workspaceModeSchema).readonly(),
      /** Whether the workspace inside is the user's own directory, or a copy. Absent: an older daemon, `shared`. */
      workspaceFiles: z.enum(["shared", "copied"]).optional(),
      /** Whose programs are inside: this machine's, or an image's. Absent: this machine's. */
      userland: z.enum(["host", "own"]).optional(),
      /** Whether agents are installed once for many sandboxes. Absent: an older daemon, true. */
      layers: z.boolean().optional(),
      egress: egressSchema,
      limits: z.array(z.enum(["cpus", "memory", "pids"])).readonly(),
      ports: z.boolean(),
      snapshot: z.boolean(),
      warmPool: z.boolean(),
      /** Whether a template's base can be the root file system. Absent: an older daemon, or no. */
      bases: z.boolean().optional(),
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
    /**
     * All that the caller says of the provider; what is left out is at its default, but for a secret that was given before.
     * SECURITY: secrets are kept in memory until the daemon ends; no answer, event, log or error ever has such a value.
     */
    variables: z.record(z.string(), z.string().min(1).max(4096)),
    /** Secrets that the vault has under other names than their variables: those names. */
    secrets: z.record(z.string(), z.string().min(1)).optional().meta({ "x-since": 1 }),
    /** Where each was said, for people. Default: the calling shell. */
    origins: z.record(z.string(), z.string().max(4096)).optional().meta({ "x-since": 1 }),
  })
  .meta({ id: "ProviderVariables" });
export type ProviderVariables = z.infer<typeof providerVariablesSchema>;
