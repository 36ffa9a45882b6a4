import { z } from "zod";
import { problemSchema } from "./problem.ts";
import { sandboxSchema } from "./sandbox.ts";

/** What is told while layers are made. */
export const layerEventSchemas = [
  z.object({ type: z.literal("install-start"), agent: z.string(), text: z.string() }),
  z.object({ type: z.literal("install-delta"), text: z.string() }),
  /** What the installer has fetched so far: an installer that tells no progress may fetch hundreds of MB. */
  z.object({ type: z.literal("install-progress"), receivedBytes: z.int() }),
  z.object({
    type: z.literal("install-end"),
    agent: z.string(),
    version: z.string(),
    layer: z.string(),
  }),
  /** A template's layers are made; `cached` of its steps are there already. */
  z.object({
    type: z.literal("build-start"),
    template: z.string(),
    steps: z.int(),
    cached: z.int(),
    text: z.string(),
  }),
  z.object({
    type: z.literal("build-step"),
    /** From 1 on. */
    number: z.int(),
    steps: z.int(),
    name: z.string(),
    text: z.string(),
  }),
  z.object({ type: z.literal("build-delta"), text: z.string() }),
  z.object({
    type: z.literal("build-end"),
    template: z.string(),
    /** Everything that the steps wrote, on the daemon's machine. */
    log: z.string(),
    layers: z.array(z.string()).readonly(),
    text: z.string(),
  }),
  z.object({ type: z.literal("notice"), text: z.string() }),
  z.object({ type: z.literal("problem"), problem: problemSchema }),
] as const;

/** Events of `POST /v1/sandboxes/{id}/start` (server-sent events; the last is `sandbox-start` or `problem`). */
export const startEventSchema = z
  .discriminatedUnion("type", [
    ...layerEventSchemas,
    z.object({ type: z.literal("sandbox-start"), sandbox: sandboxSchema }),
  ])
  .meta({ id: "StartEvent" });
export type StartEvent = z.infer<typeof startEventSchema>;
