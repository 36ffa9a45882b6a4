import { z } from "zod";
import { POLICY_PRESETS } from "./policy.ts";

const portSchema = z.union([
  z.int().min(1).max(65_535),
  z.string().describe('A port, a span such as "8000-8010", or "*".'),
]);
const portsSchema = z.union([portSchema, z.array(portSchema).min(1)]);
const targetShape = {
  host: z
    .string()
    .optional()
    .describe("An exact name, *.name for one label more, or **.name for any depth."),
  cidr: z.string().optional().describe("An address or a range, instead of a host."),
};
const scopeShape = {
  methods: z
    .array(z.string())
    .min(1)
    .optional()
    .describe("HTTP methods in upper case. Default: every method, and no inspection."),
  paths: z
    .array(z.string())
    .min(1)
    .optional()
    .describe(
      "/exact, * within a segment, /** at the end. Default: every path, and no inspection.",
    ),
};
const reasonSchema = z.string().min(1).optional().describe("Why, for whoever reads the policy.");

export const allowEntrySchema = z.strictObject({
  ...targetShape,
  ports: portsSchema.optional().describe("Default 443."),
  protocol: z
    .enum(["tls", "http", "opaque"])
    .optional()
    .describe(
      "What may be spoken. Default: tls on 443, http on 80, else opaque, which is any bytes.",
    ),
  addresses: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe("What the name may resolve to: public (default), private, or CIDRs."),
  ...scopeShape,
  broad: z
    .boolean()
    .optional()
    .describe("Says, with a reason, that more than one organisation's hosts are meant."),
  reason: reasonSchema,
});

export const denyEntrySchema = z.strictObject({
  ...targetShape,
  ports: portsSchema.optional().describe("Default: every port."),
  ...scopeShape,
  reason: reasonSchema,
});

export const policySchema = z.strictObject({
  preset: z
    .enum(POLICY_PRESETS)
    .optional()
    .describe("What the file builds on. Default: nothing, so that only its own rules allow."),
  allow: z
    .array(z.union([z.string(), allowEntrySchema]))
    .optional()
    .describe("What may leave. A text is the short form of --allow."),
  deny: z
    .array(z.union([z.string(), denyEntrySchema]))
    .optional()
    .describe("What may not, whatever allows it. A text is the short form of --deny."),
});

export type AllowEntry = z.infer<typeof allowEntrySchema>;
export type DenyEntry = z.infer<typeof denyEntrySchema>;

/** The form of a policy file as JSON Schema, for editors and other checkers. */
export function describePolicyFile(): object {
  return { title: "Cattlegrid egress policy", ...z.toJSONSchema(policySchema, { io: "input" }) };
}
