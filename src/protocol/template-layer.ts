import { z } from "zod";
import { mirrorsSchema } from "./sandbox.ts";
import { layerEventSchemas } from "./start-event.ts";
import { parameterValuesSchema } from "./template-choice.ts";

/** `POST /v1/templates/{id}/build`. */
export const templateBuildSchema = z
  .strictObject({
    workspace: z.string().optional(),
    agent: z.string().optional(),
    parameters: parameterValuesSchema.optional(),
    /** Default: the template's, else the first. */
    provider: z.string().optional(),
    /** Runs every step again, whatever is there. */
    anew: z.boolean().optional(),
    mirrors: mirrorsSchema.optional(),
    installTimeoutMs: z.int().positive().optional(),
  })
  .meta({ id: "TemplateBuild" });
export type TemplateBuild = z.infer<typeof templateBuildSchema>;

/** Server-sent events of it; the last is `template-built` or `problem`. */
export const templateBuildEventSchema = z
  .discriminatedUnion("type", [
    ...layerEventSchemas,
    z.object({
      type: z.literal("template-built"),
      template: z.string(),
      /** What a sandbox made from it stands on, lowest first. */
      layers: z.array(z.string()).readonly(),
    }),
  ])
  .meta({ id: "TemplateBuildEvent" });
export type TemplateBuildEvent = z.infer<typeof templateBuildEventSchema>;

const templateLayerSchema = z.object({
  provider: z.string(),
  /** `base/ID` is a root file system on which layers stand. */
  layer: z.string(),
  /** The template for which it was made; absent for one of which nothing is known. */
  template: z.string().exactOptional(),
  /** What made it; of a root file system, where it is from. */
  steps: z.array(z.string()).readonly(),
  bytes: z.int(),
  builtAt: z.string().exactOptional(),
  /** When a sandbox last started on it, or it was built. */
  usedAt: z.string().exactOptional(),
  /** Sandboxes that stand on it. */
  sandboxes: z.int(),
});
export type TemplateLayer = z.infer<typeof templateLayerSchema>;

/** `GET /v1/template-layers`, and what `POST /v1/template-layers/collect` removed. */
export const templateLayersSchema = z
  .object({ layers: z.array(templateLayerSchema).readonly() })
  .meta({ id: "TemplateLayers" });
export type TemplateLayersList = z.infer<typeof templateLayersSchema>;

/** `POST /v1/template-layers/collect`: what no sandbox stands on and none started on for so long. */
export const templateCollectSchema = z
  .strictObject({ olderThanMs: z.int().min(0), dryRun: z.boolean().optional() })
  .meta({ id: "TemplateCollect" });
