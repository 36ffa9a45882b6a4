import { z } from "zod";
import { sandboxStatusSchema } from "./sandbox.ts";

const layerSchema = z.object({
  provider: z.string(),
  /** `base/ID` is a root file system of templates, `setup-…` what their setup left, any other an installed agent. */
  layer: z.string(),
  bytes: z.int().exactOptional(),
});

/** `GET /v1/prunable`. */
export const prunableQuerySchema = z
  .strictObject({
    /** Only sandboxes that did not run for this long. Default: all that do not run. */
    olderThanMs: z
      .string()
      .regex(/^\d{1,15}$/)
      .optional(),
  })
  .meta({ id: "PrunableQuery" });

/** What may be removed without ending anything, or what was. */
export const prunableSchema = z
  .object({
    sandboxes: z
      .array(
        z.object({
          id: z.string(),
          name: z.string(),
          agent: z.string(),
          status: sandboxStatusSchema,
          /** When it ran last, or was made. */
          since: z.string(),
        }),
      )
      .readonly(),
    /** What no sandbox stands on: installed agents, layers of templates and their root file systems. */
    layers: z.array(layerSchema).readonly(),
  })
  .meta({ id: "Prunable" });
export type Prunable = z.infer<typeof prunableSchema>;

/** `POST /v1/prune`: what to remove, of what was listed. */
export const pruneSchema = z
  .strictObject({
    sandboxes: z.array(z.string()),
    layers: z.array(z.strictObject({ provider: z.string(), layer: z.string() })),
  })
  .meta({ id: "Prune" });
export type Prune = z.infer<typeof pruneSchema>;
