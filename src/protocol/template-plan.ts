import { z } from "zod";
import { mirrorsSchema } from "./sandbox.ts";
import { resolvedTemplateSchema } from "./template.ts";
import { parameterValuesSchema } from "./template-choice.ts";

/** `POST /v1/templates/{id}/plan`. */
export const templatePlanWishSchema = z
  .strictObject({
    workspace: z.string().optional(),
    agent: z.string().optional(),
    parameters: parameterValuesSchema.optional(),
    /** Default: the template's, else the first. */
    provider: z.string().optional(),
    mirrors: mirrorsSchema.optional(),
  })
  .meta({ id: "TemplatePlanWish" });
export type TemplatePlanWish = z.infer<typeof templatePlanWishSchema>;

const layerSchema = z.object({
  /** The agent's title, or the names of the steps. */
  name: z.string(),
  /** `unknown` on a base of its own, which would have to be unpacked to be known. */
  state: z.enum(["built", "missing", "unknown"]),
});
export type TemplatePlanLayer = z.infer<typeof layerSchema>;

/** What a sandbox made from a template would be, and what of it is there. Holds no secret. */
export const templatePlanSchema = z
  .object({
    template: resolvedTemplateSchema,
    /** Lowest first. */
    layers: z.array(layerSchema).readonly(),
    /** How the words of the agent's own commands change. */
    arguments: z.object({
      without: z.array(z.string()).readonly(),
      with: z.array(z.string()).readonly(),
    }),
    /** Words that only its interactive command has besides. */
    interactive: z.array(z.string()).readonly(),
    /** Variables that the agent is told the template by. */
    environmentNames: z.array(z.string()).readonly(),
    /** What is put into the home directory, by its path there. */
    files: z.array(z.string()).readonly(),
  })
  .meta({ id: "TemplatePlan" });
export type TemplatePlan = z.infer<typeof templatePlanSchema>;
