import { z } from "zod";
import { egressReasonSchema } from "./egress.ts";

/** A rule as people see it. */
export const policyRuleSchema = z
  .object({
    /** The same for the same text from the same source, across restarts. */
    id: z.string(),
    effect: z.enum(["allow", "deny"]),
    /** In the short form of `--allow` and `--deny`. */
    text: z.string(),
    /** Which part of the policy it came from. */
    source: z.enum([
      "preset",
      "agent",
      "file",
      "flag",
      "change",
      "session",
      "template",
      "organisation",
    ]),
    reason: z.string().exactOptional(),
    /** How somebody with an account there could carry data out; absent when nothing is known. */
    carriesDataOut: z.string().exactOptional(),
  })
  .meta({ id: "PolicyRule" });
export type PolicyRule = z.infer<typeof policyRuleSchema>;

const policyRulesSchema = z.array(policyRuleSchema).readonly();

/** `GET /v1/sandboxes/{id}/egress/policy`: what may leave a sandbox now, or at its next start. */
export const policySchema = z
  .object({
    sandbox: z.string(),
    preset: z.string(),
    rules: policyRulesSchema,
    /** What the rules are limited to; denials of a ceiling are among `rules`. */
    ceilings: z
      .array(
        z.object({
          layer: z.enum(["organisation", "template"]),
          path: z.string(),
          rules: policyRulesSchema,
        }),
      )
      .readonly(),
  })
  .meta({ id: "Policy" });
export type Policy = z.infer<typeof policySchema>;

/** `POST /v1/sandboxes/{id}/egress/rules`. */
export const ruleAdditionSchema = z
  .strictObject({
    effect: z.enum(["allow", "deny"]),
    rule: z.string(),
    reason: z.string().min(1).optional(),
    /** Says, with a reason, that a rule for more than one organisation's hosts is meant. */
    broad: z.boolean().optional(),
    /** Ends the rule with this session. */
    session: z.string().optional(),
  })
  .meta({ id: "RuleAddition" });
export type RuleAddition = z.infer<typeof ruleAdditionSchema>;

export const ruleAddedSchema = z
  .object({
    rule: policyRuleSchema,
    /** What the person should know, such as another rule that still denies it. */
    notice: z.string().exactOptional(),
  })
  .meta({ id: "RuleAdded" });
export type RuleAdded = z.infer<typeof ruleAddedSchema>;

export const ruleRemovalSchema = z
  .strictObject({
    /** An id, or a rule in its short form. */
    rule: z.string(),
  })
  .meta({ id: "RuleRemoval" });

export const rulesRemovedSchema = z
  .object({ rules: policyRulesSchema })
  .meta({ id: "RulesRemoved" });
export type RulesRemoved = z.infer<typeof rulesRemovedSchema>;

/** `POST /v1/sandboxes/{id}/egress/check`. */
export const policyQuestionSchema = z
  .strictObject({
    /** `https://host/path`, `host:port` or `address:port`. */
    url: z.string(),
    /** Default GET. */
    method: z.string().optional(),
    /** What the name resolves to; without it addresses are not judged. */
    address: z.string().optional(),
  })
  .meta({ id: "PolicyQuestion" });
export type PolicyQuestion = z.infer<typeof policyQuestionSchema>;

export const policyForecastSchema = z
  .object({
    action: z.enum(["allow", "deny"]),
    reasonCode: egressReasonSchema,
    reason: z.string(),
    rule: policyRuleSchema.exactOptional(),
    /** Every HTTP request on the connection is judged by itself. */
    inspected: z.boolean(),
    /** The gateway also judges the address that the name resolves to, when it dials. */
    dependsOnAddress: z.boolean(),
    /** How a person would allow what is denied. */
    remedy: z.string().exactOptional(),
  })
  .meta({ id: "PolicyForecast" });
export type PolicyForecast = z.infer<typeof policyForecastSchema>;

/** `GET /v1/sandboxes/{id}/egress/learned`: the smallest policy that would have allowed what the sandbox did and wanted. */
export const learnedPolicySchema = z
  .object({
    rules: z
      .array(
        policyRuleSchema.extend({
          /** How often it was let through, and how often refused. */
          allowed: z.int(),
          refused: z.int(),
        }),
      )
      .readonly(),
    /** Deny rules, which stay. */
    deny: policyRulesSchema,
    /** Allow rules of the policy in force, for comparison. */
    inForce: policyRulesSchema,
    /** What was refused and is not suggested, with why. */
    left: z.array(z.object({ place: z.string(), reason: z.string(), count: z.int() })).readonly(),
    /** Wildcards that would cover several names; never taken by themselves. */
    families: z
      .array(z.object({ pattern: z.string(), names: z.array(z.string()).readonly() }))
      .readonly(),
  })
  .meta({ id: "LearnedPolicy" });
export type LearnedPolicy = z.infer<typeof learnedPolicySchema>;

/** `GET /v1/policy-presets`. */
export const policyPresetsSchema = z
  .object({
    presets: z
      .array(
        z.object({
          name: z.string(),
          summary: z.string(),
          /** Without those of an agent. */
          rules: policyRulesSchema,
          /** Whether an agent's own hosts are allowed too. */
          includesAgent: z.boolean(),
        }),
      )
      .readonly(),
    agents: z.array(z.object({ id: z.string(), rules: policyRulesSchema })).readonly(),
  })
  .meta({ id: "PolicyPresets" });
export type PolicyPresets = z.infer<typeof policyPresetsSchema>;
