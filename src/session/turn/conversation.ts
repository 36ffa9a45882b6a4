import type { AgentTurns, CommandResult, FinishedTurn, TurnSetup } from "../../agent/agent.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { TurnOutcome } from "../../protocol/session.ts";
import { runCommand } from "../command.ts";
import type { SessionContext } from "../context.ts";

const CONVERSATION_TIMEOUT_MS = 60_000;
/** Where a program's status is a number and this one has none. */
const ENDED_BY_SIGNAL = -1;

/** What a session knows of its conversation from one turn to the next. */
export interface Conversation {
  /** Turns that were started. */
  turns: number;
  /** A turn has succeeded, here or in the session that this one goes on with: there is something to resume. */
  isResumable: boolean;
  /** Absent: it could not be read yet, or the agent does not tell. */
  id?: string;
  /** A turn went on with another conversation. */
  isLost: boolean;
}

export interface Conversing {
  context: SessionContext;
  turns: AgentTurns;
  setup: TurnSetup;
}

export interface ConversationOptions extends Conversing {
  conversation: Conversation;
  /** Called when the conversation has changed. */
  save(): Promise<void>;
}

export interface ConversationTurn {
  outcome: TurnOutcome;
  finished: FinishedTurn;
  resumed: boolean;
  /** The agent said so itself. */
  isConversationLost: boolean;
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
  { outcome, finished, resumed, isConversationLost }: ConversationTurn,
): Promise<void> {
  const { conversation, save } = options;
  if (resumed && isConversationLost) conversation.isLost = true;
  if (conversation.isLost) throw resumeLost(options);
  if (!tellsOfConversation(outcome, resumed)) return;
  const id = await readConversation(options, finished);
  if (resumed && options.turns.conversation !== undefined && id !== conversation.id) {
    conversation.isLost = true;
    throw resumeLost(options);
  }
  if (id !== undefined) conversation.id = id;
  conversation.isResumable ||= outcome === "succeeded";
  await save();
}

/** Whether an earlier session's conversation can be gone on with: it is of this engine, and still there. */
export async function isStillThere(conversing: Conversing, id: string): Promise<boolean> {
  const { turns, setup } = conversing;
  if (turns.canResume?.(id, setup) !== true) return false;
  // Where the turn itself tells, it also tells when it went on with another one.
  if (!isListed(conversing)) return true;
  const result = await listConversations(conversing);
  if (result === undefined) return false;
  const { lists, readId } = turns.conversation ?? {};
  return lists?.(result, id) ?? readId?.(result) === id;
}

function isListed({ turns: { conversation }, setup }: Conversing): boolean {
  return conversation?.command !== undefined && conversation.isTold?.(setup) !== true;
}

/** After a turn that failed or was stopped nothing can be said; after an unknown one, only that it did not go on. */
function tellsOfConversation(outcome: TurnOutcome, resumed: boolean): boolean {
  return outcome === "succeeded" || (outcome === "unknown" && resumed);
}

async function readConversation(
  options: ConversationOptions,
  { exitCode, stdout, stderr }: FinishedTurn,
): Promise<string | undefined> {
  const { conversation } = options.turns;
  if (isListed(options)) return askConversation(options);
  return conversation?.readId({
    exitCode: exitCode ?? ENDED_BY_SIGNAL,
    stdout: stdout.toString("utf8"),
    stderr: stderr.toString("utf8"),
  });
}

async function askConversation(options: ConversationOptions): Promise<string | undefined> {
  if (!isListed(options)) return undefined;
  const result = await listConversations(options);
  return result === undefined ? undefined : options.turns.conversation?.readId(result);
}

/** Undefined also when the agent does not answer in time: then nothing is proven. */
async function listConversations({
  context,
  turns,
}: Conversing): Promise<CommandResult | undefined> {
  const command = turns.conversation?.command;
  if (command === undefined) return undefined;
  const { environment = {} } = context.request;
  const deadline = AbortSignal.timeout(CONVERSATION_TIMEOUT_MS);
  try {
    return await runCommand(context.running, {
      request: { argv: command, environment, secrets: context.secrets },
      signal: AbortSignal.any([context.signal, deadline]),
    });
  } catch (error) {
    if (!deadline.aborted || context.signal.aborted) throw error;
    return undefined;
  }
}

function resumeLost({ context }: Conversing): CattlegridError {
  const message = `${context.agent.title} did not go on with this session's conversation.`;
  return new CattlegridError("AGENT_RESUME_LOST", message);
}
