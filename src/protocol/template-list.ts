import { z } from "zod";
import { parameterValueSchema, parameterValuesSchema } from "./template-choice.ts";
import { templateOriginSchema } from "./template.ts";

/** A question of a template. */
export const parameterViewSchema = z
  .object({
    name: z.string(),
    type: z.enum(["string", "number", "boolean", "choice", "secret", "login"]),
    title: z.string(),
    description: z.string().exactOptional(),
    default: parameterValueSchema.exactOptional(),
    /** Whether it can be changed for a sandbox that exists. */
    mutable: z.boolean(),
    choices: z.array(z.object({ value: z.string(), title: z.string() })).exactOptional(),
    min: z.number().exactOptional(),
    max: z.number().exactOptional(),
    integer: z.boolean().exactOptional(),
    pattern: z.string().exactOptional(),
  })
  .meta({ id: "TemplateParameter" });
export type ParameterView = z.infer<typeof parameterViewSchema>;

const templateProblemSchema = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
});

/** One template of `GET /v1/templates`. */
export const templateSummarySchema = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string().exactOptional(),
    origin: templateOriginSchema,
    path: z.string(),
    /** Absent for one that cannot be read. */
    digest: z.string().exactOptional(),
    /** Which agent runs when nobody names one. */
    agent: z.string().exactOptional(),
    parameters: z.array(parameterViewSchema).readonly(),
    /** Another of that name counts instead, of this origin. */
    coveredBy: templateOriginSchema.exactOptional(),
    /** Of a project's: whether the owner said yes to what it says now. */
    approved: z.boolean().exactOptional(),
    /** Why it cannot be used. */
    problem: templateProblemSchema.exactOptional(),
  })
  .meta({ id: "TemplateSummary" });
export type TemplateSummary = z.infer<typeof templateSummarySchema>;

/** In the order to offer them in. */
export const templateListSchema = z
  .object({ templates: z.array(templateSummarySchema).readonly() })
  .meta({ id: "TemplateList" });
export type TemplateList = z.infer<typeof templateListSchema>;

/** Absolute real path, for the project's template. */
export const templateQuerySchema = z
  .strictObject({ workspace: z.string().optional() })
  .meta({ id: "TemplateQuery" });

/** `GET /v1/templates/{id}`. */
export const templateDetailSchema = z
  .object({
    summary: templateSummarySchema,
    /** Its own file first, then its parent's, and so on. */
    files: z.array(z.object({ path: z.string(), text: z.string() })).readonly(),
    /** What it would do that somebody who did not write it wants to know before. */
    effects: z
      .array(z.object({ what: z.string(), details: z.array(z.string()).readonly() }))
      .readonly(),
  })
  .meta({ id: "TemplateDetail" });
export type TemplateDetail = z.infer<typeof templateDetailSchema>;

/** `POST /v1/templates/{id}/resolve`. */
export const templateResolveSchema = z
  .strictObject({
    workspace: z.string().optional(),
    agent: z.string().optional(),
    parameters: parameterValuesSchema.optional(),
  })
  .meta({ id: "TemplateResolve" });
export type TemplateResolve = z.infer<typeof templateResolveSchema>;

/** `POST /v1/templates/lint`: a file that need not lie where templates are found. */
export const templateLintSchema = z
  .strictObject({ path: z.string().min(1) })
  .meta({ id: "TemplateLint" });

/** `POST /v1/templates/approve`. What was looked at is named by its digest, so that nothing else is approved. */
export const templateApproveSchema = z
  .strictObject({ workspace: z.string().min(1), digest: z.string() })
  .meta({ id: "TemplateApprove" });

/** `GET /v1/sandboxes/{id}/parameters`. */
export const sandboxParametersSchema = z
  .object({
    sandbox: z.string(),
    template: z.string(),
    parameters: z
      .array(
        parameterViewSchema.extend({
          value: parameterValueSchema.exactOptional(),
          /** What it is from the next start on. */
          next: parameterValueSchema.exactOptional(),
        }),
      )
      .readonly(),
  })
  .meta({ id: "SandboxParameters" });
export type SandboxParameters = z.infer<typeof sandboxParametersSchema>;

/** `PUT /v1/sandboxes/{id}/parameters`. What is not named stays. */
export const parametersSetSchema = z
  .strictObject({ parameters: parameterValuesSchema })
  .meta({ id: "ParametersSet" });
