import { randomUUID } from "node:crypto";
import type { AgentTurns } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import type { TurnCreate, TurnEvent } from "../protocol/session.ts";
import { runCommand } from "./command.ts";
import type { SessionContext } from "./context.ts";
import { createOutputWindow } from "./output-window.ts";
import { redact } from "./redaction.ts";
import { concludeTurn, type TurnResult } from "./turn-outcome.ts";
import { followTurn, type TurnProcess } from "./turn-process.ts";

const TURN_TIMEOUT_MS = 60 * 60 * 1000;
const CONVERSATION_TIMEOUT_MS = 60_000;
/** Of the beginning, and as much of the end, is kept to judge a turn by. */
const OUTPUT_BYTES_KEPT = 8 * 1024 * 1024;
const ERRORS_BYTES_KEPT = 1024 * 1024;
/** What an agent's output is laid out for when nobody watches it in a terminal. */
const SIZE_WITHOUT_VIEWER = { columns: 120, rows: 30 };

/** What a session knows of its conversation from one turn to the next. */
export interface Conversation {
  /** Turns that were started. */
  turns: number;
  /** A turn has succeeded, so there is something to resume. */
  isResumable: boolean;
  /** Absent: it could not be read yet, or the agent does not tell. */
  id?: string;
  /** A turn went on with another conversation. */
  isLost: boolean;
}

export interface Turn {
  readonly id: string;
  /** Idempotent; the turn ends soon after. */
  cancel(): void;
  run(): AsyncGenerator<TurnEvent>;
}

export interface TurnOptions {
  context: SessionContext;
  turns: AgentTurns;
  version: string;
  conversation: Conversation;
  request: TurnCreate;
  /** Called when the conversation has changed. */
  save(): Promise<void>;
}

/** Throws what is wrong with a prompt before anything runs. */
export function checkPrompt(turns: AgentTurns, { prompt, slash }: TurnCreate): void {
  if (!prompt.isWellFormed() || prompt.includes("\0")) {
    throw new CattlegridError("PROMPT_INVALID", "The prompt is not valid text.");
  }
  if (prompt.trim() === "") throw new CattlegridError("PROMPT_EMPTY", "The prompt is empty.");
  if (slash !== true) turns.checkPrompt(prompt);
}

export function createTurn(options: TurnOptions): Turn {
  const id = randomUUID();
  const state: { process?: TurnProcess; isCancelled: boolean } = { isCancelled: false };
  return {
    id,
    cancel() {
      state.isCancelled = true;
      state.process?.cancel();
    },
    run: () => runTurn(options, { id, state }),
  };
}

interface TurnState {
  id: string;
  state: { process?: TurnProcess; isCancelled: boolean };
}

async function* runTurn(options: TurnOptions, { id, state }: TurnState): AsyncGenerator<TurnEvent> {
  const { context, conversation, save } = options;
  const began = performance.now();
  const resumed = conversation.isResumable;
  if (resumed) await requireConversation(options);
  const number = ++conversation.turns;
  await save();
  yield { type: "turn-start", sessionId: context.sessionId, turnId: id, number, resumed };
  const process = await startProcess(options, resumed);
  state.process = process;
  if (state.isCancelled) process.cancel();
  let result: TurnResult;
  try {
    const output = createOutputWindow(OUTPUT_BYTES_KEPT);
    const errors = createOutputWindow(ERRORS_BYTES_KEPT);
    for await (const { stream, bytes } of process.output) {
      (stream === "output" ? output : errors).push(bytes);
      yield { type: "output-delta", turnId: id, stream, bytes: bytes.toString("base64") };
    }
    result = await judgeTurn(options, process, { stdout: output.read(), stderr: errors.read() });
  } finally {
    // What the agent left running in its process group dies with its turn.
    await process.close();
  }
  await followConversation(options, { result, resumed });
  const durationMs = Math.round(performance.now() - began);
  yield { type: "turn-end", turnId: id, ...result, durationMs };
}

async function startProcess(options: TurnOptions, resume: boolean): Promise<TurnProcess> {
  const { context, turns, version, request } = options;
  const { running, signal, request: session } = context;
  const { argv, inputBytes } = turns.command({ prompt: request.prompt, resume, version });
  const process = await running.exec(
    {
      argv,
      terminal: {
        ...(session.terminal ?? SIZE_WITHOUT_VIEWER),
        rawOutput: true,
        separateErrors: true,
      },
      // Nobody types into a turn: a command that reads its input gets its end instead of waiting for ever.
      inputBytes: inputBytes ?? new Uint8Array(),
      environment: session.environment ?? {},
      // SECURITY: the caller's key, for this process tree and no other.
      secrets: context.secrets,
    },
    signal,
  );
  return followTurn(process, request.timeoutMs ?? session.turnTimeoutMs ?? TURN_TIMEOUT_MS);
}

async function judgeTurn(
  { context, turns, version }: TurnOptions,
  process: TurnProcess,
  output: { stdout: Buffer; stderr: Buffer },
): Promise<TurnResult> {
  const ending = await process.ended;
  if (ending.kind === "lost") {
    throw new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${ending.reason}.`);
  }
  const exitCode = ending.kind === "exited" ? ending.code : null;
  const judgement = turns.judge({ exitCode, ...output, version });
  const result = concludeTurn({ ending, stopped: process.stopped, judgement });
  const { reason } = result;
  return { ...result, reason: reason === null ? null : redact(reason, context.secrets) };
}

/** A turn that cannot be shown to go on with this session's conversation does not begin. */
async function requireConversation(options: TurnOptions): Promise<void> {
  const { conversation, turns } = options;
  if (turns.conversation === undefined) return;
  if (conversation.id === undefined && !conversation.isLost) {
    const id = await readConversation(options);
    if (id !== undefined) conversation.id = id;
  }
  if (conversation.isLost || conversation.id === undefined) throw resumeLost(options);
}

async function followConversation(
  options: TurnOptions,
  { result: { outcome }, resumed }: { result: TurnResult; resumed: boolean },
): Promise<void> {
  const { conversation, save } = options;
  if (outcome !== "succeeded" && outcome !== "unknown") return;
  if (outcome === "unknown" && !resumed) return;
  const id = await readConversation(options);
  if (resumed && options.turns.conversation !== undefined && id !== conversation.id) {
    conversation.isLost = true;
    throw resumeLost(options);
  }
  if (id !== undefined) conversation.id = id;
  conversation.isResumable ||= outcome === "succeeded";
  await save();
}

/** Undefined also when the agent does not answer in time: then nothing is proven. */
async function readConversation(options: TurnOptions): Promise<string | undefined> {
  const { context, turns } = options;
  if (turns.conversation === undefined) return undefined;
  const { command, readId } = turns.conversation;
  const { environment = {} } = context.request;
  const deadline = AbortSignal.timeout(CONVERSATION_TIMEOUT_MS);
  try {
    const result = await runCommand(context.running, {
      request: { argv: command, environment, secrets: context.secrets },
      signal: AbortSignal.any([context.signal, deadline]),
    });
    return readId(result);
  } catch (error) {
    if (!deadline.aborted || context.signal.aborted) throw error;
    return undefined;
  }
}

function resumeLost({ context }: TurnOptions): CattlegridError {
  const message = `${context.agent.title} did not go on with this session's conversation.`;
  return new CattlegridError("AGENT_RESUME_LOST", message);
}
