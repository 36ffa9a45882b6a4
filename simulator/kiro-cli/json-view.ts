import type { TurnView } from "./view.ts";
import { writeOut } from "./view.ts";

/** `--output-format stream-json`: one object per line. */
export class JsonView implements TurnView {
  readonly #sessionId: string;
  #finalText = "";

  constructor(sessionId: string) {
    this.#sessionId = sessionId;
  }

  async start(): Promise<void> {
    const sessionId = this.#sessionId;
    await writeJson({
      type: "runStarted",
      data: { payloadSchema: "acp", acpProtocolVersion: 1, engine: "v2", sessionId },
    });
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

  async tool(title: string): Promise<void> {
    this.#finalText = "";
    const toolCallId = `tooluse_${crypto.randomUUID()}`;
    await this.#update({
      sessionUpdate: "tool_call",
      toolCallId,
      title: title.split("\n")[0],
      kind: "execute",
      status: "pending",
      rawInput: {},
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
