import { z } from "zod";
import { problemSchema } from "./problem.ts";
import { environmentSchema } from "./sandbox.ts";
import { bindingsSchema } from "./secret.ts";

export const terminalSizeSchema = z.strictObject({
  columns: z.int().min(1).max(10_000),
  rows: z.int().min(1).max(10_000),
});
export type TerminalSize = z.infer<typeof terminalSizeSchema>;

/** `POST /v1/sandboxes/{id}/exec`: starts a process and answers `ProcessStarted`. */
export const execSchema = z
  .strictObject({
    argv: z.array(z.string()).min(1),
    cwd: z.string().optional(),
    environment: environmentSchema.optional(),
    /** SECURITY: reaches this process tree only; never stored or logged. */
    secrets: environmentSchema.optional(),
    /** Variables of this process tree, each with the name of the secret that it takes. */
    bindings: bindingsSchema.optional().meta({ "x-since": 1 }),
    /** Present: a terminal of this size. Absent: pipes. */
    terminal: terminalSizeSchema.optional(),
    timeoutMs: z.int().positive().optional(),
    /** What the program writes is recorded; what it reads never is. */
    record: z.boolean().optional(),
    /**
     * Lives no longer than somebody is attached: once nobody is, or when nobody comes within 30 seconds, the program is
     * hung up (SIGHUP) and what is left of it 5 seconds later is killed.
     */
    attended: z.boolean().optional().meta({ "x-since": 1 }),
  })
  .meta({ id: "Exec" });
export type Exec = z.infer<typeof execSchema>;

export const processStartedSchema = z
  .object({ terminalId: z.string() })
  .meta({ id: "ProcessStarted" });
export type ProcessStarted = z.infer<typeof processStartedSchema>;

/** How what a terminal ran came to its end. `code` is what the command line exits with. */
export const terminalEndingSchema = z
  .discriminatedUnion("kind", [
    z.object({ kind: z.literal("exited"), code: z.int() }),
    z.object({ kind: z.literal("signalled"), code: z.int(), signal: z.string() }),
    z.object({ kind: z.literal("timed-out"), code: z.literal(124) }),
    z.object({ kind: z.literal("stopped"), code: z.int() }),
    z.object({ kind: z.literal("lost"), code: z.literal(125), reason: z.string() }),
  ])
  .meta({ id: "TerminalEnding" });
export type TerminalEnding = z.infer<typeof terminalEndingSchema>;

/**
 * `GET /v1/terminals/{id}` upgrades to a WebSocket. In its query: `offset=N` asks for the exact bytes from there on, `view=screen`
 * for the screen as it is (`STREAM_SCREEN`, if one is kept) and the exact bytes behind it, with `columns` and `rows` for a window of
 * that size. A viewer of the screen that cannot keep up is told `attached` once more, with the screen anew. `access=read` lets the
 * client change nothing. Without `offset` and `view`, output begins with the first byte that is kept.
 * Server to client, binary: one byte naming the stream (`STREAM_OUTPUT`, `STREAM_ERRORS`), then bytes.
 * Client to server, binary: input bytes. Text in both directions: one JSON control message.
 * Offsets count the bytes of both streams in the order in which the engine read them.
 */
export {
  ACKNOWLEDGE_EVERY_BYTES,
  ATTACHMENT_WINDOW_BYTES,
  INPUT_WINDOW_BYTES,
  STREAM_ERRORS,
  STREAM_OUTPUT,
  STREAM_SCREEN,
} from "./terminal-stream.ts";

export const terminalControlSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("acknowledge"), offset: z.int().min(0) }),
  z.strictObject({ type: z.literal("resize"), columns: z.int().min(1), rows: z.int().min(1) }),
  z.strictObject({ type: z.literal("signal"), signal: z.string() }),
  z.strictObject({ type: z.literal("end-input") }),
  z.strictObject({ type: z.literal("kill") }),
]);
export type TerminalControl = z.infer<typeof terminalControlSchema>;

export const terminalNoticeSchema = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("attached"),
      terminalId: z.string(),
      offset: z.int(),
      tty: z.boolean(),
    }),
    /** How many bytes of this attachment's input the program's side has taken so far. */
    z.object({ type: z.literal("input-taken"), bytes: z.int() }),
    z.object({ type: z.literal("ended"), ending: terminalEndingSchema, offset: z.int() }),
    z.object({ type: z.literal("problem"), problem: problemSchema }),
  ])
  .meta({ id: "TerminalNotice" });
export type TerminalNotice = z.infer<typeof terminalNoticeSchema>;
