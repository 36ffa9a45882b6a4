import { z } from "zod";
import { loginProfileNameSchema } from "./login.ts";
import { problemSchema } from "./problem.ts";
import { terminalEndingSchema, terminalSizeSchema } from "./process.ts";
import { environmentSchema } from "./sandbox.ts";
import { bindingsSchema } from "./secret.ts";

/** A word of the agent's own: no option, and nothing a terminal would obey. */
const agentWordSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._:@/-]{0,199}$/);

export const turnOptionsSchema = z
  .strictObject({
    /** Which of its engines the agent runs. */
    engine: agentWordSchema.optional(),
    model: agentWordSchema.optional(),
    /** The agent's own named configuration. */
    configuration: agentWordSchema.optional(),
  })
  .meta({ id: "TurnOptions" });

export const identityDirectorySchema = z
  .strictObject({
    startUrl: z.url({ protocol: /^https$/ }),
    region: z.string().regex(/^[a-z0-9-]{1,40}$/),
  })
  .meta({ id: "IdentityDirectory" });

/** `POST /v1/sandboxes/{id}/sessions`. The sandbox must run. */
export const sessionCreateSchema = z
  .strictObject({
    /** `interactive`: the agent in a terminal. `turns`: prompts through `/v1/sessions/{id}/turns`. */
    kind: z.enum(["interactive", "turns"]),
    /** What the user wrote after `--`. */
    arguments: z.array(z.string()).optional(),
    /** `auto`: append when the first argument begins with `-`, else replace. */
    argumentRule: z.enum(["auto", "append", "replace"]).optional(),
    /** Present: the caller's terminal. Absent: pipes, and no sign-in dialogue. */
    terminal: terminalSizeSchema.optional(),
    environment: environmentSchema.optional(),
    /** SECURITY: credentials of the caller; reach the agent's process tree only, never stored or logged. */
    secrets: environmentSchema.optional(),
    /** More variables of the agent, each with the name of the secret that it takes; they win over the sandbox's. */
    bindings: bindingsSchema.optional().meta({ "x-since": 1 }),
    loginTimeoutMs: z.int().positive().optional(),
    turnTimeoutMs: z.int().positive().optional(),
    /** What the caller chooses about turns, in the agent's own words. */
    turnOptions: turnOptionsSchema.optional().meta({ "x-since": 1 }),
    /** Goes on with the sandbox's newest conversation where that can be done, and says so where it cannot. */
    continues: z.enum(["latest"]).optional().meta({ "x-since": 1, "x-older": "omit" }),
    /** The organisation whose people sign in: saves typing it at the login. */
    identityDirectory: identityDirectorySchema.optional().meta({ "x-since": 1 }),
    /**
     * Nothing but a sign-in, which is kept as this login profile whatever was kept before. The sandbox must have been made
     * for it: `ephemeral`, without a workspace.
     */
    login: z.strictObject({ profile: loginProfileNameSchema }).optional().meta({ "x-since": 1 }),
    /** The session ends when its events connection closes (`chat`, `run` without `--detach` does not set it). */
    leased: z.boolean().optional(),
    /** What the agent's terminal shows is recorded; what is typed never is, nor the sign-in. */
    record: z.boolean().optional(),
  })
  .meta({ id: "SessionCreate" });
export type SessionCreate = z.infer<typeof sessionCreateSchema>;

export const sessionStatusSchema = z.enum(["starting", "signing-in", "running", "ended", "lost"]);
export type SessionStatus = z.infer<typeof sessionStatusSchema>;

export const sessionSchema = z
  .object({
    id: z.string(),
    owner: z.string(),
    sandboxId: z.string(),
    agent: z.string(),
    kind: z.enum(["interactive", "turns"]),
    status: sessionStatusSchema,
    /** The terminal to attach to now, when there is one. */
    terminalId: z.string().exactOptional(),
    turns: z.int(),
    exitCode: z.int().exactOptional(),
    createdAt: z.string(),
  })
  .meta({ id: "Session" });
export type Session = z.infer<typeof sessionSchema>;

export const sessionListSchema = z
  .object({ sessions: z.array(sessionSchema).readonly() })
  .meta({ id: "SessionList" });

const purposeSchema = z.enum(["login", "agent"]);

/** Events of `GET /v1/sessions/{id}/events` (server-sent; from the first event on, so a late reader misses none). */
export const sessionEventSchema = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("session-start"), session: sessionSchema }),
    z.object({ type: z.literal("notice"), text: z.string() }),
    z.object({
      type: z.literal("terminal-start"),
      terminalId: z.string(),
      purpose: purposeSchema,
    }),
    z.object({
      type: z.literal("terminal-end"),
      terminalId: z.string(),
      purpose: purposeSchema,
      ending: terminalEndingSchema,
    }),
    /** The address and code a person opens to approve; shown even where the agent prints only the code. */
    z.object({ type: z.literal("login-code"), code: z.string(), url: z.string().nullable() }),
    z.object({ type: z.literal("signed-in"), account: z.string() }),
    /** `continued`: the first turn goes on with an earlier conversation. */
    z.object({ type: z.literal("session-ready"), continued: z.boolean().exactOptional() }),
    z.object({
      type: z.literal("session-end"),
      exitCode: z.int(),
      problem: problemSchema.exactOptional(),
    }),
  ])
  .meta({ id: "SessionEvent" });
export type SessionEvent = z.infer<typeof sessionEventSchema>;

/** `POST /v1/sessions/{id}/turns`, answered as server-sent events. */
export const turnCreateSchema = z
  .strictObject({
    prompt: z.string().min(1),
    /** Sends a prompt that the agent takes for a slash command. */
    slash: z.boolean().optional(),
    timeoutMs: z.int().positive().optional(),
  })
  .meta({ id: "TurnCreate" });
export type TurnCreate = z.infer<typeof turnCreateSchema>;

export const turnOutcomeSchema = z.enum([
  "succeeded",
  "failed",
  "unknown",
  "cancelled",
  "timed-out",
]);
export type TurnOutcome = z.infer<typeof turnOutcomeSchema>;

/** Also the lines of `chat --output json`. */
export const turnEventSchema = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("turn-start"),
      sessionId: z.string(),
      turnId: z.string(),
      number: z.int(),
      resumed: z.boolean(),
      /** The agent's standard output is made for programs; people are shown messages and tools instead. */
      structured: z.boolean(),
    }),
    /** Bytes exactly as the agent wrote them, base64. */
    z.object({
      type: z.literal("output-delta"),
      turnId: z.string(),
      stream: z.enum(["output", "errors"]),
      bytes: z.string(),
    }),
    /** Of a structured turn, as are the next two: what the agent says. */
    z.object({ type: z.literal("message-delta"), turnId: z.string(), text: z.string() }),
    z.object({
      type: z.literal("tool-start"),
      turnId: z.string(),
      toolCallId: z.string(),
      name: z.string(),
      input: z.unknown(),
    }),
    z.object({
      type: z.literal("tool-end"),
      turnId: z.string(),
      toolCallId: z.string(),
      isError: z.boolean(),
      output: z.string(),
    }),
    z.object({
      type: z.literal("turn-end"),
      turnId: z.string(),
      outcome: turnOutcomeSchema,
      reason: z.string().nullable(),
      /** The answer as plain text, without terminal sequences; empty when there was none. */
      answer: z.string(),
      /** The agent's own exit status; null when a signal ended it. */
      agentExitCode: z.int().nullable(),
      /** What the command line exits with for this turn. */
      exitCode: z.int(),
      durationMs: z.int(),
    }),
    z.object({ type: z.literal("problem"), problem: problemSchema }),
  ])
  .meta({ id: "TurnEvent" });
export type TurnEvent = z.infer<typeof turnEventSchema>;
