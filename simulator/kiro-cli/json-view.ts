import type { ToolCall } from "./conversation.ts";
import type { Engine } from "./profile.ts";
import { UpdateView } from "./update-view.ts";
import { writeOut } from "./view.ts";

/** `--output-format stream-json`: one object per line. */
export class JsonView extends UpdateView {
  readonly #sessionId: string;
  readonly #engine: Engine;
  #finalText = "";

  constructor(sessionId: string, engine: Engine) {
    super((update) => writeJson({ type: "sessionUpdate", data: { sessionId, update } }));
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

  override async answer(text: string): Promise<void> {
    this.#finalText += text;
    await super.answer(text);
  }

  override async toolStart(tool: ToolCall): Promise<void> {
    this.#finalText = "";
    await super.toolStart(tool);
  }
}

export async function writeJson(value: unknown): Promise<void> {
  await writeOut(Buffer.from(`${JSON.stringify(value)}\n`));
}
