import { loadAgent } from "./agents.ts";
import type { AgentConfig } from "./agents.ts";
import type { Context } from "./context.ts";
import type { ConversationStore } from "./conversation-store.ts";
import type { Conversation, ToolCall } from "./conversation.ts";
import { loadCredentials } from "./credentials.ts";
import { AUTHENTICATION_REQUIRED, INTERNAL, INVALID_PARAMETERS, RpcFailure } from "./json-rpc.ts";
import type { JsonRpc, Parameters } from "./json-rpc.ts";
import type { McpServers } from "./mcp.ts";
import { MODELS } from "./chat-options.ts";
import type { Engine } from "./profile.ts";
import { runTurn } from "./turn.ts";
import type { Turn } from "./turn.ts";
import { describeTool, UpdateView } from "./update-view.ts";

export interface SessionParts {
  /** Its directory is the session's. */
  context: Context;
  engine: Engine;
  rpc: JsonRpc;
  conversation: Conversation;
  store: ConversationStore;
  agent: AgentConfig;
  mcp: McpServers;
  model: string | undefined;
  trust: Turn["trust"];
}

const MODES = ["kiro_default", "kiro_planner", "kiro_guide"];
const PERMISSIONS = [
  { optionId: "allow_once", name: "Yes", kind: "allow_once" },
  { optionId: "allow_always", name: "Always", kind: "allow_always" },
  { optionId: "reject_once", name: "No", kind: "reject_once" },
];

interface ContentBlock {
  type: string;
  text?: string;
  uri?: string;
  resource?: { text?: string };
}

/** One conversation of an editor: a turn at a time, which can be cancelled. */
export class AcpSession implements Disposable {
  readonly #parts: SessionParts;
  readonly #alwaysAllowed = new Set<string>();
  #running: AbortController | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get id(): string {
    return this.#parts.conversation.id;
  }

  /** What `session/new` and `session/load` say of it. */
  describe(): Parameters {
    const { agent, engine } = this.#parts;
    const availableModes = MODES.map((id) => ({ id, name: id }));
    const modes = { currentModeId: agent.name, availableModes };
    if (engine === "v3") return { modes, configOptions: this.describeOptions() };
    const availableModels = MODELS.map((modelId) => ({ modelId, name: modelId }));
    return { modes, models: { currentModelId: this.#parts.model ?? "auto", availableModels } };
  }

  describeOptions(): Parameters[] {
    const options = MODELS.map((value) => ({ value, name: value }));
    const currentValue = this.#parts.model ?? "auto";
    return [
      { id: "model", name: "Model", category: "model", type: "select", currentValue, options },
    ];
  }

  chooseModel(model: unknown): void {
    const known = MODELS.find((candidate) => candidate === model);
    if (known === undefined) throw invalid(`no model '${String(model)}'`);
    this.#parts.model = known;
  }

  chooseMode(mode: unknown): void {
    const known = MODES.find((candidate) => candidate === mode);
    if (known === undefined) throw invalid(`no mode '${String(mode)}'`);
    this.#parts.agent = loadAgent(this.#parts.context, known, this.#parts.engine);
  }

  /** Tells what was said before, as updates. */
  async replay(): Promise<void> {
    for (const said of this.#parts.conversation.transcript) {
      const isPrompt = said.startsWith("> ");
      const content = { type: "text", text: isPrompt ? said.slice(2) : said };
      const kind = isPrompt ? "user_message_chunk" : "agent_message_chunk";
      if (content.text !== "") await this.#update({ sessionUpdate: kind, content });
    }
  }

  async prompt(blocks: unknown): Promise<{ stopReason: string }> {
    if (!Array.isArray(blocks)) throw invalid("missing field `prompt`");
    if (this.#running !== undefined) throw invalid("a prompt of this session is running");
    const running = new AbortController();
    this.#running = running;
    try {
      return await this.#run(readText(blocks as ContentBlock[]), running.signal);
    } finally {
      this.#running = undefined;
    }
  }

  cancel(): void {
    this.#running?.abort();
  }

  [Symbol.dispose](): void {
    this.cancel();
    this.#parts.mcp[Symbol.dispose]();
  }

  async #run(prompt: string, signal: AbortSignal): Promise<{ stopReason: string }> {
    const { context, rpc } = this.#parts;
    const credentials = await loadCredentials(context);
    if (credentials === undefined) throw signedOut();
    const view = new UpdateView((update) => this.#update(update));
    const approve = (tool: ToolCall): Promise<boolean> => this.#mayUse(tool);
    const turn: Turn = {
      ...this.#parts,
      credentials,
      view,
      approve,
      askEditor: (method, about) => rpc.ask(method, about as Parameters),
      commandInput: "ignore",
      signal,
    };
    const outcome = await runTurn(turn, prompt);
    if (outcome === "refused") throw new RpcFailure(INTERNAL, view.refusal ?? "");
    return { stopReason: outcome === "interrupted" ? "cancelled" : "end_turn" };
  }

  async #mayUse(tool: ToolCall): Promise<boolean> {
    if (this.#alwaysAllowed.has(tool.name)) return true;
    const reply = await this.#askPermission(tool);
    const { outcome } = (reply ?? {}) as { outcome?: { optionId?: string } };
    if (outcome?.optionId === "allow_always") this.#alwaysAllowed.add(tool.name);
    return outcome?.optionId === "allow_always" || outcome?.optionId === "allow_once";
  }

  /** Undefined when the editor refuses to answer, or has gone. */
  #askPermission(tool: ToolCall): Promise<unknown> {
    const about = { sessionId: this.id, toolCall: describeTool(tool), options: PERMISSIONS };
    return this.#parts.rpc.ask("session/request_permission", about).catch(refusedAsUndefined);
  }

  async #update(update: Parameters): Promise<void> {
    await this.#parts.rpc.tell("session/update", { sessionId: this.id, update });
  }
}

export function invalid(what: string): RpcFailure {
  return new RpcFailure(INVALID_PARAMETERS, `Invalid params: ${what}`);
}

export function signedOut(): RpcFailure {
  return new RpcFailure(AUTHENTICATION_REQUIRED, "Authentication required");
}

function refusedAsUndefined(error: unknown): undefined {
  if (!(error instanceof RpcFailure)) throw error;
  return undefined;
}

function readText(blocks: readonly ContentBlock[]): string {
  return blocks.map(({ text, resource, uri }) => text ?? resource?.text ?? uri ?? "").join("\n");
}
