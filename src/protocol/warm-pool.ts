import { z } from "zod";
import { mirrorsSchema } from "./sandbox.ts";
import { parameterValuesSchema } from "./template-choice.ts";

export const WARM_SIZE_MAX = 100;

/** `PUT /v1/templates/{id}/warm`: how many sandboxes of a template stand ready. */
export const warmPoolSetSchema = z
  .strictObject({
    /** 0 ends the pool. */
    size: z.int().min(0).max(WARM_SIZE_MAX),
    parameters: parameterValuesSchema.optional(),
    /** Default: the template's, or the first. */
    provider: z.string().optional(),
    mirrors: mirrorsSchema.optional(),
  })
  .meta({ id: "WarmPoolSet" });
export type WarmPoolSet = z.infer<typeof warmPoolSetSchema>;

export const warmPoolSchema = z
  .object({
    template: z.string(),
    parameters: parameterValuesSchema,
    provider: z.string(),
    size: z.int(),
    /** How many stand ready now. */
    ready: z.int(),
    /** Why there are fewer than wanted, when something went wrong. */
    problem: z.string().exactOptional(),
  })
  .meta({ id: "WarmPool" });
export type WarmPool = z.infer<typeof warmPoolSchema>;

export const warmPoolListSchema = z
  .object({ pools: z.array(warmPoolSchema).readonly() })
  .meta({ id: "WarmPoolList" });
