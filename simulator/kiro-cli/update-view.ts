import type { ToolCall, ToolResult } from "./conversation.ts";
import type { TurnView } from "./view.ts";

/** One `update` of the Agent Client Protocol. */
export type SessionUpdate = Record<string, unknown>;

const TOOL_KINDS: Readonly<Record<string, string>> = {
  execute_bash: "execute",
  fs_read: "read",
  fs_write: "edit",
};

/** A turn as the protocol's session updates. What an update of a tool holds is the simulator's choice. */
export class UpdateView implements TurnView {
  readonly #send: (update: SessionUpdate) => Promise<void>;
  /** Why the service refused the turn. */
  refusal: string | undefined;

  constructor(send: (update: SessionUpdate) => Promise<void>) {
    this.#send = send;
  }

  async answer(text: string): Promise<void> {
    await this.#send({
      sessionUpdate: "agent_message_chunk",
      content: { type: "text", text },
    });
  }

  async endAnswer(): Promise<void> {
    await Promise.resolve();
  }

  /** What a person would read of a tool is not part of the stream. */
  async tool(): Promise<void> {
    await Promise.resolve();
  }

  async toolStart(tool: ToolCall): Promise<void> {
    await this.#send({ sessionUpdate: "tool_call", ...describeTool(tool) });
  }

  async toolEnd({ tool_use_id: toolCallId, status, content }: ToolResult): Promise<void> {
    await this.#send({
      sessionUpdate: "tool_call_update",
      toolCallId,
      status: status === "Success" ? "completed" : "failed",
      rawOutput: typeof content === "string" ? content : JSON.stringify(content),
    });
  }

  refused(text: string): void {
    this.refusal = text;
  }

  async raw(): Promise<void> {
    await Promise.resolve();
  }

  split(): void {
    // Lines of JSON are whole by definition.
  }
}

export function describeTool({ id, name, args }: ToolCall): SessionUpdate {
  return {
    toolCallId: id,
    title: typeof args["command"] === "string" && name === "execute_bash" ? args["command"] : name,
    kind: TOOL_KINDS[name] ?? "other",
    status: "pending",
    rawInput: args,
  };
}
