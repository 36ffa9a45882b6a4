import { z } from "zod";

export const descriptionSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.string().default("unknown"),
  errorReason: z.string().nullish(),
  labels: z.record(z.string(), z.string()).default({}),
  target: z.string().nullish(),
  snapshot: z.string().nullish(),
  cpu: z.number().nullish(),
  memory: z.number().nullish(),
  disk: z.number().nullish(),
  sandboxClass: z.string().nullish(),
  toolboxProxyUrl: z.string().nullish(),
  networkBlockAll: z.boolean().nullish(),
  networkAllowList: z.string().nullish(),
  domainAllowList: z.string().nullish(),
});
/** A sandbox as the service describes it, as far as we read it. */
export type Description = z.infer<typeof descriptionSchema>;
