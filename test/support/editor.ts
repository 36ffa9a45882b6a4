import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { Readable, Writable } from "node:stream";
import {
  client,
  type ClientContext,
  type InitializeResponse,
  methods,
  ndJsonStream,
  PROTOCOL_VERSION,
  type SessionUpdate,
  type StopReason,
} from "@agentclientprotocol/sdk";

/** What came of an editor's session. */
export interface EditorRecord {
  updates: SessionUpdate[];
  /** What the agent asked the editor to do itself. */
  asked: string[];
  /** Tools for which a permission was asked, by title. */
  permissions: string[];
}

export interface EditorOptions {
  /** What is answered to the agent that asks for a permission; default `allow_once`. */
  permission?: string;
  onUpdate?: (update: SessionUpdate) => void;
}

/** What an editor says to an agent, in its words. */
export class Editor {
  readonly #agent: ClientContext;

  constructor(agent: ClientContext) {
    this.#agent = agent;
  }

  /** The first thing: who it is, and what it offers. */
  greet(): Promise<InitializeResponse> {
    return this.#agent.request(methods.agent.initialize, {
      protocolVersion: PROTOCOL_VERSION,
      clientInfo: { name: "test-editor", version: "1" },
      clientCapabilities: {
        fs: { readTextFile: true, writeTextFile: true },
        terminal: true,
        auth: { terminal: true },
      },
    });
  }

  /** Opens a session and returns its id. */
  async open(cwd: string): Promise<string> {
    const { new: open } = methods.agent.session;
    return (await this.#agent.request(open, { cwd, mcpServers: [] })).sessionId;
  }

  async load(cwd: string, sessionId: string): Promise<void> {
    await this.#agent.request(methods.agent.session.load, { cwd, sessionId, mcpServers: [] });
  }

  /** One turn; why it stopped. */
  async ask(sessionId: string, text: string): Promise<StopReason> {
    const { stopReason } = await this.#agent.request(methods.agent.session.prompt, {
      sessionId,
      prompt: [{ type: "text", text }],
    });
    return stopReason;
  }

  async cancel(sessionId: string): Promise<void> {
    await this.#agent.notify(methods.agent.session.cancel, { sessionId });
  }

  /** Any other request. */
  request(method: string, parameters: object): Promise<unknown> {
    return this.#agent.request(method, parameters);
  }
}

/**
 * An editor that offers its files and terminals, by the protocol's own library: it does `work` with the agent on the
 * streams of `child`, and ends the agent's input.
 */
export async function edit(
  child: ChildProcess,
  work: (editor: Editor) => Promise<void>,
  { permission = "allow_once", onUpdate }: EditorOptions = {},
): Promise<EditorRecord> {
  const record: EditorRecord = { updates: [], asked: [], permissions: [] };
  const refuse = (what: string) => () => {
    record.asked.push(what);
    throw new TypeError("an editor must not be asked for this");
  };
  const editor = client({ name: "test-editor" })
    .onRequest(methods.client.fs.readTextFile, refuse("read"))
    .onRequest(methods.client.fs.writeTextFile, refuse("write"))
    .onRequest(methods.client.terminal.create, refuse("terminal"))
    .onRequest(methods.client.session.requestPermission, ({ params }) => {
      record.permissions.push(params.toolCall.title ?? "");
      return { outcome: { outcome: "selected", optionId: permission } };
    })
    .onNotification(methods.client.session.update, ({ params }) => {
      record.updates.push(params.update);
      onUpdate?.(params.update);
    });
  const closed = once(child, "close");
  const output = Writable.toWeb(child.stdin!) as WritableStream<Uint8Array>;
  const input = Readable.toWeb(child.stdout!) as ReadableStream<Uint8Array>;
  await editor.connectWith(ndJsonStream(output, input), (agent) => work(new Editor(agent)));
  child.stdin!.end();
  await closed;
  return record;
}

/** What the agent said, in one text. */
export function spoken({ updates }: EditorRecord): string {
  return updates
    .map((update) =>
      update.sessionUpdate === "agent_message_chunk" && update.content.type === "text"
        ? update.content.text
        : "",
    )
    .join("");
}
