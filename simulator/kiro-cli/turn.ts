import type { AgentConfig } from "./agents.ts";
import type { Context } from "./context.ts";
import type { Credentials } from "./credentials.ts";
import type { ConversationStore } from "./conversation-store.ts";
import { Conversation } from "./conversation.ts";
import type { ToolCall, ToolResult } from "./conversation.ts";
import { hangForever } from "./device-flow.ts";
import { CommandFailure } from "./failure.ts";
import { runHooks } from "./hooks.ts";
import type { HookEvent } from "./hooks.ts";
import type { McpServers } from "./mcp.ts";
import { askModel, explainFailure } from "./model.ts";
import type { Engine } from "./profile.ts";
import { readContext } from "./resources.ts";
import { isTrusted, isVisible, runTool } from "./tools.ts";
import type { TurnView } from "./view.ts";

export interface Turn {
  context: Context;
  conversation: Conversation;
  store: ConversationStore;
  engine: Engine;
  agent: AgentConfig;
  mcp: McpServers;
  model: string | undefined;
  credentials: Credentials;
  view: TurnView;
  /** Tools that need no approval; undefined leaves the read-only ones. */
  trust: "all" | readonly string[] | undefined;
  /** What a command may read: this program's input, unless a protocol is spoken there. */
  commandInput?: "inherit" | "ignore";
  /** Has the editor do something, when there is one. */
  askEditor?: (method: string, parameters: unknown) => Promise<unknown>;
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
  await tell(turn, { hook_event_name: "agentSpawn" });
  await tell(turn, { hook_event_name: "userPromptSubmit", prompt });
  try {
    while (true) {
      const message = await readMessage(turn, content);
      credits += message.credits;
      turn.conversation.record(turn.store, content, message);
      if (message.tools.length === 0) break;
      content = { ToolUseResults: { tool_use_results: await runTools(turn, message.tools) } };
    }
  } catch (error) {
    return endEarly(turn, error);
  }
  await tell(turn, { hook_event_name: "stop" });
  const seconds = Math.round((performance.now() - startedAtMs) / 1000);
  process.stderr.write(`\n ▸ Credits: ${credits.toFixed(2)} • Time: ${formatTime(seconds)}\n`);
  return "finished";
}

async function endEarly(turn: Turn, error: unknown): Promise<TurnOutcome> {
  await turn.view.endAnswer();
  if (turn.signal.aborted) return "interrupted";
  const text = explainFailure(error);
  if (text === undefined) throw error;
  turn.view.refused?.(text);
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
  const read = readContext(turn.agent, context);
  const body = conversation.request(content, turn.model ?? turn.agent.model, read);
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
  const results: ToolResult[] = [];
  for (const tool of tools) {
    await turn.view.toolStart?.(tool);
    const result = await runOne(turn, tool);
    await turn.view.toolEnd?.(result);
    results.push(result);
  }
  return results;
}

async function runOne(turn: Turn, tool: ToolCall): Promise<ToolResult> {
  const { trust, agent, view, signal, conversation, mcp } = turn;
  const { environment, directory } = turn.context;
  const refuse = (content: string): ToolResult => ({
    tool_use_id: tool.id,
    status: "Error",
    content,
  });
  if (!isVisible(tool, agent.tools)) return refuse(`There is no tool named ${tool.name}.`);
  const isAllowed =
    isTrusted(tool, trust) || isTrusted(tool, agent.allowedTools) || (await askAbout(turn, tool));
  if (!isAllowed) return refuse("The user denied this tool.");
  const about = { tool_name: tool.name, tool_input: tool.args };
  const { blocked } = await tell(turn, { hook_event_name: "preToolUse", ...about });
  if (blocked !== undefined) return refuse(blocked);
  const result = await runTool({
    tool,
    view,
    environment,
    directory,
    commandInput: turn.commandInput ?? "inherit",
    sessionId: conversation.id,
    signal,
    mcp,
    askEditor: turn.askEditor,
    delegate: (query) => runSubagent(turn, query),
  });
  await tell(turn, { hook_event_name: "postToolUse", ...about, tool_response: result.content });
  return result;
}

/** Headless V3 of the versions on record runs no hooks. */
async function tell(
  { agent, context, conversation, engine }: Turn,
  event: Omit<HookEvent, "session_id" | "cwd">,
): Promise<{ blocked: string | undefined }> {
  if (engine === "v3") return { blocked: undefined };
  const about = { session_id: conversation.id, cwd: context.directory };
  return runHooks(agent.hooks, { ...event, ...about });
}

/** A conversation of its own with the same model and tools; the caller is told its last words. */
async function runSubagent(turn: Turn, query: string): Promise<string> {
  const parts: string[] = [];
  const view: TurnView = {
    answer: async (text) => void parts.push(text),
    endAnswer: async () => undefined,
    tool: async () => undefined,
    raw: async () => undefined,
    split: () => undefined,
  };
  const conversation = new Conversation(turn.context.directory);
  const store = { list: () => [], save: () => undefined, delete: () => false };
  const own = { ...turn, view, conversation, store };
  let content: Parameters<Conversation["request"]>[0] = { Prompt: { prompt: query } };
  for (;;) {
    parts.length = 0;
    const message = await readMessage(own, content);
    conversation.record(store, content, message);
    if (message.tools.length === 0) return parts.join("");
    content = { ToolUseResults: { tool_use_results: await runTools(own, message.tools) } };
  }
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
