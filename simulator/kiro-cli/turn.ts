import type { Context } from "./context.ts";
import type { Credentials } from "./credentials.ts";
import type { Conversation, ToolCall, ToolResult } from "./conversation.ts";
import { hangForever } from "./device-flow.ts";
import { CommandFailure } from "./failure.ts";
import { askModel, explainFailure } from "./model.ts";
import { isTrusted, runTool } from "./tools.ts";
import type { TurnView } from "./view.ts";

export interface Turn {
  context: Context;
  conversation: Conversation;
  credentials: Credentials;
  view: TurnView;
  /** Tools that need no approval; undefined leaves the read-only ones. */
  trust: "all" | readonly string[] | undefined;
  /** Asks a person about a tool; absent when nobody is there to ask. */
  approve?: (tool: ToolCall) => Promise<boolean>;
  signal: AbortSignal;
}

/** `refused`: the service said no, which stderr explains. */
export type TurnOutcome = "finished" | "interrupted" | "refused";

/** Runs one prompt until the model stops using tools; the credits line ends it on stderr. */
export async function runTurn(turn: Turn, prompt: string): Promise<TurnOutcome> {
  const startedAtMs = performance.now();
  let content: Parameters<Conversation["request"]>[0] = { Prompt: { prompt } };
  let credits = 0;
  try {
    while (true) {
      const message = await readMessage(turn, content);
      credits += message.credits;
      turn.conversation.record(turn.context.database(), content, message);
      if (message.tools.length === 0) break;
      content = { ToolUseResults: { tool_use_results: await runTools(turn, message.tools) } };
    }
  } catch (error) {
    return endEarly(turn, error);
  }
  const seconds = Math.round((performance.now() - startedAtMs) / 1000);
  process.stderr.write(`\n ▸ Credits: ${credits.toFixed(2)} • Time: ${formatTime(seconds)}\n`);
  return "finished";
}

async function endEarly(turn: Turn, error: unknown): Promise<TurnOutcome> {
  await turn.view.endAnswer();
  if (turn.signal.aborted) return "interrupted";
  const text = explainFailure(error);
  if (text === undefined) throw error;
  process.stderr.write(`${text}\n`);
  return "refused";
}

interface Message {
  text: string;
  tools: ToolCall[];
  credits: number;
}

async function readMessage(
  turn: Turn,
  content: Parameters<Conversation["request"]>[0],
): Promise<Message> {
  const { context, conversation, credentials, signal, view } = turn;
  const message: Message = { text: "", tools: [], credits: 0 };
  const body = conversation.request(content);
  for await (const event of askModel(context, { credentials, body, signal })) {
    if (event.kind === "text") {
      message.text += event.text;
      await view.answer(event.text);
    } else if (event.kind === "tool") message.tools.push(event.tool);
    else if (event.kind === "credits") message.credits += event.credits;
    else view.split(event.chunkBytes);
  }
  await view.endAnswer();
  return message;
}

async function runTools(turn: Turn, tools: readonly ToolCall[]): Promise<ToolResult[]> {
  const { view, signal, conversation } = turn;
  const { environment } = turn.context;
  const results: ToolResult[] = [];
  for (const tool of tools) {
    const isAllowed = isTrusted(tool, turn.trust) || (await askAbout(turn, tool));
    results.push(
      isAllowed
        ? await runTool({ tool, view, environment, sessionId: conversation.id, signal })
        : { tool_use_id: tool.id, status: "Error", content: "The user denied this tool." },
    );
  }
  return results;
}

/** Three behaviours of a headless run are on record; the profile says which one this is. */
async function askAbout(turn: Turn, tool: ToolCall): Promise<boolean> {
  if (turn.approve !== undefined) return turn.approve(tool);
  switch (turn.context.profile.untrusted) {
    case "hang":
      return hangForever();
    case "exit":
      throw new CommandFailure(
        "Tool approval required but --no-interactive was specified. Use --trust-all-tools to automatically approve tools.",
      );
    case "deny":
      process.stderr.write(
        `Command ${tool.name} is rejected because it matches one or more rules on the denied list:\n` +
          "  - non-interactive mode (no user to approve)\n",
      );
      return false;
  }
}

/** `4s`, or `1m 11s`. */
export function formatTime(seconds: number): string {
  if (seconds < 60) return `${String(seconds)}s`;
  return `${String(Math.floor(seconds / 60))}m ${String(seconds % 60)}s`;
}
