import { z } from "zod";
import { limitsSchema, workspaceModeSchema } from "./sandbox.ts";
import { parameterValueSchema } from "./template-choice.ts";
import { agentSchema, baseSchema, mcpServerSchema, repositorySchema } from "./template-file.ts";

/** Where a template was found. The earlier wins: nobody takes the place of the organisation's by its name. */
export const templateOriginSchema = z.enum(["organisation", "user", "shipped", "project"]);
export type TemplateOrigin = z.infer<typeof templateOriginSchema>;

/**
 * A template as it counts for one sandbox: parents merged in, parameters put in, texts of its files read. Plain data; kept
 * with the sandbox, so that a later edit of the file changes nothing of it. Holds no secret.
 */
export const resolvedTemplateSchema = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string().exactOptional(),
    origin: templateOriginSchema,
    /** Of the file, and of each parent after it. */
    paths: z.array(z.string()).readonly(),
    /** Of all that the file says, its parents and the texts of files it names, parameters apart. */
    digest: z.string(),
    parameters: z.record(z.string(), parameterValueSchema).readonly(),
    /** That of the sandbox. */
    agent: z.string(),
    agents: z.record(z.string(), agentSchema).readonly(),
    base: baseSchema,
    packages: z.object({
      apt: z.array(z.string()).readonly(),
      npm: z.array(z.string()).readonly(),
      pip: z.array(z.string()).readonly(),
    }),
    repositories: z.array(repositorySchema.omit({ when: true })).readonly(),
    setup: z
      .array(
        z.object({
          name: z.string(),
          run: z.string(),
          root: z.boolean(),
          /** Those of the step, and each parameter as PARAM_NAME. */
          environment: z.record(z.string(), z.string()).readonly(),
          /** Digests of the contents of its inputs, by path. */
          inputs: z.record(z.string(), z.string()).readonly(),
          timeoutMs: z.int(),
        }),
      )
      .readonly(),
    files: z.array(z.object({ path: z.string(), content: z.string(), mode: z.int() })).readonly(),
    steering: z.array(z.object({ name: z.string(), content: z.string() })).readonly(),
    mcpServers: z.record(z.string(), mcpServerSchema).readonly(),
    environment: z.record(z.string(), z.string()).readonly(),
    /** Variables of the agent, each with the name of the secret that it takes. */
    bindings: z.record(z.string(), z.string()).readonly(),
    policy: z.object({
      /** Absent: nothing is said of it. */
      preset: z.string().exactOptional(),
      allow: z.array(z.string()).readonly(),
      deny: z.array(z.string()).readonly(),
      /** Each limits what is granted; parents' too. */
      ceilings: z.array(z.object({ path: z.string(), text: z.string() })).readonly(),
    }),
    limits: limitsSchema.readonly(),
    limitsRequired: z.boolean(),
    provider: z.string().exactOptional(),
    isolation: z.string().exactOptional(),
    /** None: nothing is said of them. */
    modes: z.array(workspaceModeSchema).readonly(),
    /** Absent: nothing is said of it. */
    unprotect: z.array(z.string()).readonly().exactOptional(),
    lifetime: z.object({
      idleStopMs: z.int().exactOptional(),
      maxAgeMs: z.int().exactOptional(),
      removeAfterSession: z.boolean(),
    }),
    regions: z.array(z.string()).readonly().exactOptional(),
    identity: z.object({
      startUrl: z.string().exactOptional(),
      region: z.string().exactOptional(),
      profile: z.string().exactOptional(),
    }),
    import: z.array(z.enum(["steering", "mcp"])).readonly(),
  })
  .meta({ id: "ResolvedTemplate" });
export type ResolvedTemplate = z.infer<typeof resolvedTemplateSchema>;
