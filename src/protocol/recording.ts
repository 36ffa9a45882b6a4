import { z } from "zod";

/** One recording of a terminal: an asciicast, version 2, kept outside the sandbox and removed with it. */
export const recordingSummarySchema = z
  .object({
    id: z.string(),
    sandboxId: z.string(),
    startedAt: z.string(),
    /** On disk; grows while the terminal goes on. */
    bytes: z.number(),
  })
  .meta({ id: "Recording" });
export type RecordingSummary = z.infer<typeof recordingSummarySchema>;

/** Oldest first. */
export const recordingListSchema = z
  .object({ recordings: z.array(recordingSummarySchema) })
  .meta({ id: "RecordingList" });
export type RecordingList = z.infer<typeof recordingListSchema>;

export const recordingStartedSchema = z
  .object({ recordingId: z.string() })
  .meta({ id: "RecordingStarted" });
