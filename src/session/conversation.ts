import type { AgentTurns, FinishedTurn } from "../agent/agent.ts";
import { CattlegridError } from "../errors/error.ts";
import type { TurnOutcome } from "../protocol/session.ts";
import { runCommand } from "./command.ts";
import type { SessionContext } from "./context.ts";

const CONVERSATION_TIMEOUT_MS = 60_000;
/** Where a program's status is a number and this one has none. */
const ENDED_BY_SIGNAL = -1;

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

export interface ConversationOptions {
  context: SessionContext;
  turns: AgentTurns;
  conversation: Conversation;
  /** Called when the conversation has changed. */
  save(): Promise<void>;
}

export interface ConversationTurn {
  outcome: TurnOutcome;
  finished: FinishedTurn;
  resumed: boolean;
}

/** A turn that cannot be shown to go on with this session's conversation does not begin. */
export async function requireConversation(options: ConversationOptions): Promise<void> {
  const { conversation, turns } = options;
  if (turns.conversation === undefined) return;
  if (conversation.id === undefined && !conversation.isLost) {
    const id = await askConversation(options);
    if (id !== undefined) conversation.id = id;
  }
  if (conversation.isLost || conversation.id === undefined) throw resumeLost(options);
}

/** Throws AGENT_RESUME_LOST when a resumed turn went on with another conversation. */
export async function followConversation(
  options: ConversationOptions,
  { outcome, finished, resumed }: ConversationTurn,
): Promise<void> {
  const { conversation, save } = options;
  if (outcome !== "succeeded" && outcome !== "unknown") return;
  if (outcome === "unknown" && !resumed) return;
  const id = await readConversation(options, finished);
  if (resumed && options.turns.conversation !== undefined && id !== conversation.id) {
    conversation.isLost = true;
    throw resumeLost(options);
  }
  if (id !== undefined) conversation.id = id;
  conversation.isResumable ||= outcome === "succeeded";
  await save();
}

async function readConversation(
  options: ConversationOptions,
  { exitCode, stdout, stderr }: FinishedTurn,
): Promise<string | undefined> {
  const { conversation } = options.turns;
  if (conversation?.command !== undefined) return askConversation(options);
  return conversation?.readId({
    exitCode: exitCode ?? ENDED_BY_SIGNAL,
    stdout: stdout.toString("utf8"),
    stderr: stderr.toString("utf8"),
  });
}

/** Undefined also when the agent does not answer in time: then nothing is proven. */
async function askConversation(options: ConversationOptions): Promise<string | undefined> {
  const { context, turns } = options;
  const { command, readId } = turns.conversation ?? {};
  if (command === undefined || readId === undefined) return undefined;
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

function resumeLost({ context }: ConversationOptions): CattlegridError {
  const message = `${context.agent.title} did not go on with this session's conversation.`;
  return new CattlegridError("AGENT_RESUME_LOST", message);
}
