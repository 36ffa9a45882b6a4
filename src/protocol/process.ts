import { z } from "zod";
import { environmentSchema } from "./sandbox.ts";

export const terminalSizeSchema = z.strictObject({
  columns: z.int().min(1).max(10_000),
  rows: z.int().min(1).max(10_000),
});
export type TerminalSize = z.infer<typeof terminalSizeSchema>;

/** `POST /v1/sandboxes/{id}/exec`: starts a process and answers `ProcessStarted`. */
export const execSchema = z.strictObject({
  argv: z.array(z.string()).min(1),
  cwd: z.string().optional(),
  environment: environmentSchema.optional(),
  /** SECURITY: reaches this process tree only; never stored or logged. */
  secrets: environmentSchema.optional(),
  /** Present: a terminal of this size. Absent: pipes. */
  terminal: terminalSizeSchema.optional(),
  timeoutMs: z.int().positive().optional(),
});
export type Exec = z.infer<typeof execSchema>;

export interface ProcessStarted {
  terminalId: string;
}

/** How what a terminal ran came to its end. `code` is what the command line exits with. */
export type TerminalEnding =
  | { kind: "exited"; code: number }
  | { kind: "signalled"; code: number; signal: string }
  | { kind: "timed-out"; code: 124 }
  | { kind: "stopped"; code: number }
  | { kind: "lost"; code: 125; reason: string };

/**
 * `GET /v1/terminals/{id}?offset=N` upgrades to a WebSocket.
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
} from "./terminal-stream.ts";

export const terminalControlSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("acknowledge"), offset: z.int().min(0) }),
  z.strictObject({ type: z.literal("resize"), columns: z.int().min(1), rows: z.int().min(1) }),
  z.strictObject({ type: z.literal("signal"), signal: z.string() }),
  z.strictObject({ type: z.literal("end-input") }),
  z.strictObject({ type: z.literal("kill") }),
]);
export type TerminalControl = z.infer<typeof terminalControlSchema>;

export type TerminalNotice =
  | { type: "attached"; terminalId: string; offset: number; tty: boolean }
  /** How many bytes of this attachment's input the program's side has taken so far. */
  | { type: "input-taken"; bytes: number }
  | { type: "ended"; ending: TerminalEnding; offset: number }
  | { type: "problem"; problem: import("./problem.ts").Problem };
