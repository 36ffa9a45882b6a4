import { declareRoutes } from "../route.ts";
import { resolvedTemplateSchema } from "../template.ts";
import {
  parametersSetSchema,
  sandboxParametersSchema,
  templateApproveSchema,
  templateDetailSchema,
  templateLintSchema,
  templateListSchema,
  templateQuerySchema,
  templateResolveSchema,
  templateSummarySchema,
} from "../template-list.ts";

export const TEMPLATE_ROUTES = declareRoutes({
  listTemplates: {
    method: "GET",
    path: "/v1/templates",
    summary: "Lists the templates, that of a workspace too, and those that cannot be used.",
    since: 1,
    query: templateQuerySchema,
    answer: templateListSchema,
  },
  showTemplate: {
    method: "GET",
    path: "/v1/templates/{id}",
    summary: "Shows a template as it is written, with its parents, and what it would do.",
    since: 1,
    query: templateQuerySchema,
    answer: templateDetailSchema,
  },
  resolveTemplate: {
    method: "POST",
    path: "/v1/templates/{id}/resolve",
    summary: "Shows a template as it counts: parents merged in, parameters put in.",
    since: 1,
    body: templateResolveSchema,
    answer: resolvedTemplateSchema,
  },
  lintTemplate: {
    method: "POST",
    path: "/v1/templates/lint",
    summary: "Checks a template's file on the daemon's machine; refuses it with line and fix.",
    since: 1,
    body: templateLintSchema,
    answer: templateSummarySchema,
  },
  approveTemplate: {
    method: "POST",
    path: "/v1/templates/approve",
    summary: "Approves what the template of a workspace says now, for every sandbox of the owner.",
    since: 1,
    body: templateApproveSchema,
    answer: templateSummarySchema,
  },
  showParameters: {
    method: "GET",
    path: "/v1/sandboxes/{id}/parameters",
    summary: "Shows the parameters of the template that a sandbox was made from.",
    since: 1,
    answer: sandboxParametersSchema,
  },
  setParameters: {
    method: "PUT",
    path: "/v1/sandboxes/{id}/parameters",
    summary: "Changes mutable parameters, from the next start on.",
    since: 1,
    body: parametersSetSchema,
    answer: sandboxParametersSchema,
  },
});
