import { z } from "zod";

const pathsSchema = z.array(z.string()).readonly();

/** One agent of `GET /v1/agents`. */
export const agentSummarySchema = z
  .object({
    id: z.string(),
    title: z.string(),
    /** The default interactive command. */
    command: z.array(z.string()).readonly(),
    /** First words after `--` that run alone: no sign-in before, no session after. */
    standaloneWords: z.array(z.string()).readonly(),
    /** Names of environment variables that are secrets: taken from the caller's shell only, and never stored. */
    credentials: z.array(z.string()).readonly(),
    /** Variables that its sessions are given for this user, each with the name of the secret. */
    bindings: z.record(z.string(), z.string()).readonly().exactOptional(),
    /** Whether `chat` can send it prompts. */
    takesPrompts: z.boolean(),
    /** Arguments with which the program speaks the Agent Client Protocol. Absent: it cannot. */
    acp: z.array(z.string()).readonly().exactOptional(),
    /** What is installed unless `AGENT@VERSION` says otherwise. Absent: the newest, or nothing is installed. */
    version: z.string().exactOptional(),
    /** What the policy `agent` lets it reach, and why it needs to. */
    hosts: z.array(z.object({ host: z.string(), port: z.int(), reason: z.string() })).readonly(),
    /** Where it keeps its files, relative to the home directory inside. */
    locations: z.object({
      configuration: pathsSchema,
      signIn: pathsSchema,
      conversations: pathsSchema,
    }),
    /** What a template can say to it, beside `trust: all`; absent: nothing. */
    takes: z.array(z.string()).readonly().exactOptional(),
    /** How it is sent to another model than its maker's. */
    modelEndpoint: z.object({
      kind: z.enum(["none", "env", "config"]),
      variable: z.string().exactOptional(),
      where: z.string().exactOptional(),
      protocol: z.string().exactOptional(),
    }),
  })
  .meta({ id: "AgentSummary" });
export type AgentSummary = z.infer<typeof agentSummarySchema>;

/** An agent that cannot be run because the file that describes it is wrong. */
const brokenAgentSchema = z
  .object({ id: z.string(), code: z.string(), message: z.string(), hint: z.string() })
  .meta({ id: "BrokenAgent" });
export type BrokenAgentSummary = z.infer<typeof brokenAgentSchema>;

/** In the order to offer them in. */
export const agentListSchema = z
  .object({
    agents: z.array(agentSummarySchema) /** Added by 1.1. */,
    broken: z.array(brokenAgentSchema).exactOptional(),
  })
  .meta({ id: "AgentList" });
export type AgentList = z.infer<typeof agentListSchema>;

/** The text of a file that describes an agent, and where it lies at the caller's, for errors to name. */
export const agentFileSchema = z
  .strictObject({ path: z.string().min(1), text: z.string().max(262_144) })
  .meta({ id: "AgentFile" });
