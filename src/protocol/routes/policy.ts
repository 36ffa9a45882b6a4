import {
  learnedPolicySchema,
  policyPresetsSchema,
  policyQuestionSchema,
  policySchema,
  policyForecastSchema,
  ruleAddedSchema,
  ruleAdditionSchema,
  ruleRemovalSchema,
  rulesRemovedSchema,
} from "../policy.ts";
import { declareRoutes } from "../route.ts";

export const POLICY_ROUTES = declareRoutes({
  showPolicy: {
    method: "GET",
    path: "/v1/sandboxes/{id}/egress/policy",
    summary: "Shows what may leave a sandbox: every rule, where it came from, and its ceilings.",
    since: 1,
    answer: policySchema,
  },
  addRule: {
    method: "POST",
    path: "/v1/sandboxes/{id}/egress/rules",
    summary: "Adds a rule, which holds at once for new and open connections and across restarts.",
    since: 1,
    status: 201,
    body: ruleAdditionSchema,
    answer: ruleAddedSchema,
  },
  removeRule: {
    method: "POST",
    path: "/v1/sandboxes/{id}/egress/rules/remove",
    summary: "Takes a rule away, by its id or its text; it holds as an added one does.",
    since: 1,
    body: ruleRemovalSchema,
    answer: rulesRemovedSchema,
  },
  checkPolicy: {
    method: "POST",
    path: "/v1/sandboxes/{id}/egress/check",
    summary: "Tells what the gateway would decide, and by which rule, without sending anything.",
    since: 1,
    body: policyQuestionSchema,
    answer: policyForecastSchema,
  },
  learnPolicy: {
    method: "GET",
    path: "/v1/sandboxes/{id}/egress/learned",
    summary: "Gives the smallest policy that would have allowed what is recorded of a sandbox.",
    since: 1,
    answer: learnedPolicySchema,
  },
  listPresets: {
    method: "GET",
    path: "/v1/policy-presets",
    summary: "Shows the policy presets, and what each agent declares that it needs.",
    since: 1,
    answer: policyPresetsSchema,
  },
});
