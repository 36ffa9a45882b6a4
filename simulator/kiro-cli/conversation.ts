import { randomUUID } from "node:crypto";
import { CommandFailure } from "./failure.ts";
import type { ConversationStore } from "./conversation-store.ts";
import type { ConversationRow } from "./database.ts";

export interface ToolCall {
  id: string;
  name: string;
  args: Record<string, unknown>;
}

export interface ToolResult {
  tool_use_id: string;
  status: "Success" | "Error";
  content: unknown;
}

type UserContent =
  | { Prompt: { prompt: string } }
  | { ToolUseResults: { tool_use_results: ToolResult[] } };

interface Exchange {
  user: {
    additional_context: string;
    env_context: { env_state: { operating_system: string; current_working_directory: string } };
    content: UserContent;
    timestamp: string;
    images: null;
  };
  assistant:
    | { Response: { message_id: string; content: string } }
    | { ToolUse: { message_id: string; content: string; tool_uses: ToolCall[] } };
  request_metadata: null;
}

interface Value {
  conversation_id: string;
  next_message: null;
  history: Exchange[];
  valid_history_range: [number, number];
  transcript: string[];
  tools: Record<string, never>;
  context_manager: null;
  latest_summary: null;
  model_info: { model_name: string; model_id: string; context_window_tokens: number };
  file_line_tracker: Record<string, never>;
  mcp_enabled: boolean;
  user_turn_metadata: { requests: never[] };
}

export interface AssistantMessage {
  text: string;
  tools: readonly ToolCall[];
}

/** One conversation of one directory, in the form the database keeps. */
export class Conversation {
  readonly #value: Value;
  readonly #directory: string;

  constructor(directory: string, stored?: string) {
    this.#directory = directory;
    this.#value = stored === undefined ? emptyValue() : (JSON.parse(stored) as Value);
  }

  get id(): string {
    return this.#value.conversation_id;
  }

  get isEmpty(): boolean {
    return this.#value.history.length === 0;
  }

  get prompts(): string[] {
    return this.#value.history.flatMap(({ user }) =>
      "Prompt" in user.content ? [user.content.Prompt.prompt] : [],
    );
  }

  /** What was said, in order: prompts begin with `> `. */
  get transcript(): readonly string[] {
    return this.#value.transcript;
  }

  /** Records one request with its answer and saves at once, so that a killed run leaves history. */
  record(store: ConversationStore, content: UserContent, message: AssistantMessage): void {
    const answer = { message_id: randomUUID(), content: message.text };
    const env_state = { operating_system: "linux", current_working_directory: this.#directory };
    this.#value.history.push({
      user: {
        additional_context: "",
        env_context: { env_state },
        content,
        timestamp: new Date().toISOString(),
        images: null,
      },
      assistant:
        message.tools.length === 0
          ? { Response: answer }
          : { ToolUse: { ...answer, tool_uses: [...message.tools] } },
      request_metadata: null,
    });
    this.#value.valid_history_range = [0, this.#value.history.length];
    if ("Prompt" in content) this.#value.transcript.push(`> ${content.Prompt.prompt}`);
    this.#value.transcript.push(message.text);
    store.save({ id: this.id, value: JSON.stringify(this.#value) });
  }

  /** The request body: everything said so far, and what is said now. */
  request(
    content: UserContent,
    model?: string,
    contextFiles: readonly { path: string; text: string }[] = [],
  ): Record<string, unknown> {
    const history = this.#value.history.flatMap(({ user, assistant }) => [
      { userInputMessage: toMessage(user.content) },
      {
        assistantResponseMessage: "Response" in assistant ? assistant.Response : assistant.ToolUse,
      },
    ]);
    return {
      conversationState: {
        conversationId: this.id,
        chatTriggerType: "MANUAL",
        history,
        currentMessage: {
          userInputMessage: {
            ...toMessage(content),
            ...(model === undefined ? {} : { modelId: model }),
            ...(contextFiles.length === 0 ? {} : { contextFiles }),
          },
        },
      },
    };
  }
}

/** Newest of the directory, or the one with this id; undefined when the directory has none. */
export function resumeConversation(
  store: ConversationStore,
  directory: string,
  id?: string,
): Conversation | undefined {
  const rows = store.list();
  const row = id === undefined ? rows[0] : rows.find((candidate) => candidate.id === id);
  if (row === undefined && id !== undefined) throw new CommandFailure(`Session not found: ${id}`);
  return row === undefined ? undefined : new Conversation(directory, row.value);
}

export function describeRow(row: ConversationRow): { preview: string; messages: number } {
  const { history } = JSON.parse(row.value) as Value;
  const [first] = new Conversation("", row.value).prompts;
  const preview = (first ?? "").replace(/\s+/g, " ").slice(0, 60);
  return { preview, messages: history.length * 2 };
}

function toMessage(content: UserContent): Record<string, unknown> {
  if ("Prompt" in content) return { content: content.Prompt.prompt };
  const toolResults = content.ToolUseResults.tool_use_results;
  return { content: "", userInputMessageContext: { toolResults } };
}

function emptyValue(): Value {
  return {
    conversation_id: randomUUID(),
    next_message: null,
    history: [],
    valid_history_range: [0, 0],
    transcript: [],
    tools: {},
    context_manager: null,
    latest_summary: null,
    model_info: { model_name: "auto", model_id: "auto", context_window_tokens: 200_000 },
    file_line_tracker: {},
    mcp_enabled: true,
    user_turn_metadata: { requests: [] },
  };
}
