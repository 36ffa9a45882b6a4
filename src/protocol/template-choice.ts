import { z } from "zod";

/** Of a parameter: `--param NAME=VALUE`, and with PARAM_ before it a variable of setup steps. */
export const PARAMETER_NAME = /^[a-z][a-z0-9_]{0,40}$/;

export const parameterValueSchema = z.union([z.string(), z.number(), z.boolean()]);
export type ParameterValue = z.infer<typeof parameterValueSchema>;

export const parameterValuesSchema = z.record(
  z.string().regex(PARAMETER_NAME),
  parameterValueSchema,
);

/** What is asked for when a sandbox is made from a template. */
export const templateChoiceSchema = z.strictObject({
  /** A template's name, or `project` for that of the workspace. */
  name: z.string(),
  parameters: parameterValuesSchema.optional(),
  /** Settings of the request that merely stand in for what nobody said: where the template differs, its word counts. */
  yields: z.array(z.string()).optional(),
});
export type TemplateChoice = z.infer<typeof templateChoiceSchema>;
