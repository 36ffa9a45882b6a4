import { z } from "zod";

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
    /** Whether `chat` can send it prompts. */
    takesPrompts: z.boolean(),
  })
  .meta({ id: "AgentSummary" });
export type AgentSummary = z.infer<typeof agentSummarySchema>;

/** In the order to offer them in. */
export const agentListSchema = z
  .object({ agents: z.array(agentSummarySchema) })
  .meta({ id: "AgentList" });
