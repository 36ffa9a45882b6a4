import { z } from "zod";
import { egressRecordSchema } from "./egress.ts";
import { sandboxStatusSchema } from "./sandbox.ts";
import { sessionStatusSchema, turnOutcomeSchema } from "./session.ts";

/** What every event has. `id` is what `Last-Event-ID` takes: the next reader goes on behind it. */
const common = {
  id: z.string(),
  time: z.string(),
  owner: z.string(),
  sandboxId: z.string(),
};

/** Events of `GET /v1/events`: what happens to the caller's sandboxes, sessions and turns, and what wants to leave. */
export const engineEventSchema = z
  .discriminatedUnion("type", [
    z.object({
      ...common,
      type: z.literal("sandbox"),
      name: z.string(),
      agent: z.string(),
      /** `removed`: nothing of it is left. */
      status: z.enum([...sandboxStatusSchema.options, "removed"]),
      statusReason: z.string().exactOptional(),
    }),
    z.object({
      ...common,
      type: z.literal("session"),
      sessionId: z.string(),
      agent: z.string(),
      kind: z.enum(["interactive", "turns"]),
      status: sessionStatusSchema,
      exitCode: z.int().exactOptional(),
    }),
    z.object({
      ...common,
      type: z.literal("turn-start"),
      sessionId: z.string(),
      turnId: z.string(),
      number: z.int(),
    }),
    z.object({
      ...common,
      type: z.literal("turn-end"),
      sessionId: z.string(),
      turnId: z.string(),
      outcome: turnOutcomeSchema,
      exitCode: z.int(),
    }),
    z.object({ ...common, type: z.literal("egress"), record: egressRecordSchema }),
    /** Events before this one are not known any more: of an earlier daemon, or too many. Look at the state again. */
    z.object({ type: z.literal("gap"), id: z.string(), time: z.string() }),
  ])
  .meta({ id: "EngineEvent" });
export type EngineEvent = z.infer<typeof engineEventSchema>;
