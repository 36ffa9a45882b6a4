import { z } from "zod";
import { POLICY_PRESETS } from "./policy.ts";

const portSchema = z.union([z.int().min(1).max(65_535), z.string()]);
const portsSchema = z.union([portSchema, z.array(portSchema).min(1)]);
const targetShape = { host: z.string().optional(), cidr: z.string().optional() };
const scopeShape = {
  methods: z.array(z.string()).min(1).optional(),
  paths: z.array(z.string()).min(1).optional(),
};

export const allowEntrySchema = z.strictObject({
  ...targetShape,
  ports: portsSchema.optional(),
  protocol: z.enum(["tls", "http", "opaque"]).optional(),
  addresses: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  ...scopeShape,
  broad: z.boolean().optional(),
  reason: z.string().min(1).optional(),
});

export const denyEntrySchema = z.strictObject({
  ...targetShape,
  ports: portsSchema.optional(),
  ...scopeShape,
  reason: z.string().min(1).optional(),
});

export const policySchema = z.strictObject({
  preset: z.enum(POLICY_PRESETS).optional(),
  allow: z.array(z.union([z.string(), allowEntrySchema])).optional(),
  deny: z.array(z.union([z.string(), denyEntrySchema])).optional(),
});

export type AllowEntry = z.infer<typeof allowEntrySchema>;
export type DenyEntry = z.infer<typeof denyEntrySchema>;
