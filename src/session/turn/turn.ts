import { randomUUID } from "node:crypto";
import type { AgentTurns, FinishedTurn, TurnSetup } from "../../agent/agent.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { TurnCreate, TurnEvent } from "../../protocol/session.ts";
import type { SessionContext } from "../context.ts";
import { followConversation, requireConversation, type Conversation } from "./conversation.ts";
import { createOutputWindow } from "../output-window.ts";
import { redact } from "../redaction.ts";
import { concludeTurn, type TurnFacts, type TurnResult } from "./turn-outcome.ts";
import { followTurn, type TurnProcess } from "./turn-process.ts";

const TURN_TIMEOUT_MS = 60 * 60 * 1000;
/** Of the beginning, and as much of the end, is kept to judge a turn by. */
const OUTPUT_BYTES_KEPT = 8 * 1024 * 1024;
const ERRORS_BYTES_KEPT = 1024 * 1024;
/** What an agent's output is laid out for when nobody watches it in a terminal. */
const SIZE_WITHOUT_VIEWER = { columns: 120, rows: 30 };

export interface Turn {
  readonly id: string;
  /** Idempotent; the turn ends soon after. */
  cancel(): void;
  run(): AsyncGenerator<TurnEvent>;
}

export interface TurnOptions {
  context: SessionContext;
  turns: AgentTurns;
  setup: TurnSetup;
  conversation: Conversation;
  request: TurnCreate;
  /** Called when the conversation has changed. */
  save(): Promise<void>;
  /** Called before the end of a turn is told that failed because the agent's service did not take the sign-in. */
  signInRefused?(): Promise<void>;
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
  const { context, conversation, save, setup } = options;
  const began = performance.now();
  const resumed = conversation.isResumable;
  if (resumed) await requireConversation(options);
  const number = ++conversation.turns;
  await save();
  const { sessionId } = context;
  const reader = options.turns.createReader?.(setup.version, setup.options);
  const structured = reader !== undefined;
  yield { type: "turn-start", sessionId, turnId: id, number, resumed, structured };
  const process = await startProcess(options, resumed);
  state.process = process;
  if (state.isCancelled) process.cancel();
  let result: TurnResult;
  let finished: FinishedTurn;
  try {
    const output = createOutputWindow(OUTPUT_BYTES_KEPT);
    const errors = createOutputWindow(ERRORS_BYTES_KEPT);
    for await (const { stream, bytes } of process.output) {
      (stream === "output" ? output : errors).push(bytes);
      yield { type: "output-delta", turnId: id, stream, bytes: bytes.toString("base64") };
      const events = (stream === "output" ? reader?.push(bytes) : undefined) ?? [];
      for (const event of events) yield { ...event, turnId: id };
    }
    const written = { stdout: output.read(), stderr: errors.read() };
    const ending = await waitForEnding(process);
    const exitCode = ending.kind === "exited" ? ending.code : null;
    finished = { exitCode, ...written, ...setup };
    result = judgeTurn(options, { ending, stopped: process.stopped, finished });
  } finally {
    // What the agent left running in its process group dies with its turn.
    await process.close();
  }
  await tellRefusal(options, result, finished);
  const { isConversationLost = false, ...told } = result;
  await followConversation(options, { ...told, finished, resumed, isConversationLost });
  const durationMs = Math.round(performance.now() - began);
  yield { type: "turn-end", turnId: id, ...told, durationMs };
}

/** A turn that was turned away at the door says more about the sign-in than about itself. */
async function tellRefusal(
  options: TurnOptions,
  { outcome }: TurnResult,
  finished: FinishedTurn,
): Promise<void> {
  const { signIn } = options.context.agent;
  const isRefused = outcome === "failed" && signIn?.isRefused?.(finished) === true;
  if (isRefused) await options.signInRefused?.();
}

async function startProcess(options: TurnOptions, resume: boolean): Promise<TurnProcess> {
  const { context, turns, setup, request } = options;
  const { running, signal, request: session } = context;
  const conversationId = options.conversation.id;
  const { argv, inputBytes } = turns.command({
    prompt: request.prompt,
    resume,
    ...(conversationId === undefined ? {} : { conversationId }),
    ...setup,
  });
  const process = await running.exec(
    {
      argv,
      // What is made for programs goes through pipes: it needs no screen, and some write otherwise to one.
      ...(turns.createReader === undefined
        ? {
            terminal: {
              ...(session.terminal ?? SIZE_WITHOUT_VIEWER),
              rawOutput: true,
              separateErrors: true,
            },
          }
        : {}),
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

async function waitForEnding(process: TurnProcess): Promise<TurnFacts["ending"]> {
  const ending = await process.ended;
  if (ending.kind !== "lost") return ending;
  throw new CattlegridError("SANDBOX_LOST", `The sandbox was lost: ${ending.reason}.`);
}

function judgeTurn(
  { context, turns }: TurnOptions,
  facts: Omit<TurnFacts, "judgement"> & { finished: FinishedTurn },
): TurnResult {
  const result = concludeTurn({ ...facts, judgement: turns.judge(facts.finished) });
  const { reason } = result;
  return { ...result, reason: reason === null ? null : redact(reason, context.secrets) };
}
