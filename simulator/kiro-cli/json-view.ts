import type { ToolCall, ToolResult } from "./conversation.ts";
import type { Engine } from "./profile.ts";
import type { TurnView } from "./view.ts";
import { writeOut } from "./view.ts";

/** `--output-format stream-json`: one object per line. What a tool update holds is modelled on ACP. */
export class JsonView implements TurnView {
  readonly #sessionId: string;
  readonly #engine: Engine;
  #finalText = "";

  constructor(sessionId: string, engine: Engine) {
    this.#sessionId = sessionId;
    this.#engine = engine;
  }

  async start(): Promise<void> {
    const [sessionId, engine] = [this.#sessionId, this.#engine];
    await writeJson({
      type: "runStarted",
      data: { payloadSchema: "acp", acpProtocolVersion: 1, engine, sessionId },
    });
    await writeJson({ type: "metadata", data: { sessionId, contextUsagePercentage: 1.2 } });
  }

  async finish(status: "success" | "error", stopReason: string): Promise<void> {
    const data = { sessionId: this.#sessionId, status, stopReason, finalText: this.#finalText };
    await writeJson({ type: "runFinished", data });
  }

  async answer(text: string): Promise<void> {
    this.#finalText += text;
    await this.#update({
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

  async toolStart({ id, name, args }: ToolCall): Promise<void> {
    this.#finalText = "";
    const title = typeof args["command"] === "string" ? args["command"] : name;
    const kind = name === "execute_bash" ? "execute" : "other";
    await this.#update({
      sessionUpdate: "tool_call",
      toolCallId: id,
      title,
      kind,
      status: "pending",
      rawInput: args,
    });
  }

  async toolEnd({ tool_use_id: toolCallId, status, content }: ToolResult): Promise<void> {
    await this.#update({
      sessionUpdate: "tool_call_update",
      toolCallId,
      status: status === "Success" ? "completed" : "failed",
      rawOutput: typeof content === "string" ? content : JSON.stringify(content),
    });
  }

  async raw(): Promise<void> {
    await Promise.resolve();
  }

  split(): void {
    // Lines of JSON are whole by definition.
  }

  async #update(update: Record<string, unknown>): Promise<void> {
    await writeJson({ type: "sessionUpdate", data: { sessionId: this.#sessionId, update } });
  }
}

export async function writeJson(value: unknown): Promise<void> {
  await writeOut(Buffer.from(`${JSON.stringify(value)}\n`));
}
