import { isAbsolute } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AcpSession, invalid, signedOut } from "./acp-session.ts";
import type { ParsedArguments } from "./arguments.ts";
import { chooseEngine, readModel, readTrust } from "./chat-options.ts";
import { chooseAgent, requireCredentials } from "./chat.ts";
import { reportTelemetry } from "./context.ts";
import type { Context } from "./context.ts";
import { openConversations } from "./conversation-store.ts";
import { Conversation, resumeConversation } from "./conversation.ts";
import { loadCredentials } from "./credentials.ts";
import { CommandFailure, QuietExit } from "./failure.ts";
import { INTERNAL, JsonRpc, METHOD_NOT_FOUND, RpcFailure } from "./json-rpc.ts";
import type { Parameters } from "./json-rpc.ts";
import { McpServers } from "./mcp.ts";
import type { ServerConfig } from "./mcp.ts";
import type { Engine } from "./profile.ts";
import { startV3 } from "./v3-runtime.ts";

export const ACP_OPTIONS = {
  agent: "text",
  model: "text",
  effort: "text",
  "trust-all-tools": "flag",
  "trust-tools": "text",
  "agent-engine": "text",
} as const;

const NOT_FOR_V3 = ["agent", "model", "effort", "trust-all-tools", "trust-tools"];
/** Since then a client that can is offered the login; before, the program ends as a chat does. */
const OFFERS_LOGIN_SINCE = [2, 37];

/** `acp`: serves an editor by the Agent Client Protocol on its streams, until its input ends. */
export async function serveEditor(context: Context, options: ParsedArguments): Promise<void> {
  const engine = chooseEngine(context, options) === "v3" ? "v3" : "v2";
  const unwanted = NOT_FOR_V3.find((name) => engine === "v3" && options.has(name));
  if (unwanted !== undefined) {
    process.stderr.write(`error: '--${unwanted}' is not supported with the v3 engine\n`);
    throw new QuietExit(2);
  }
  await delay(context.profile.startMs);
  if (!offersLogin(context)) await requireCredentials(context);
  if (engine === "v3") startV3(context);
  const agent = new EditorAgent(context, options, engine);
  await agent.serve();
  await reportTelemetry(context, "acp");
}

class EditorAgent {
  readonly #context: Context;
  readonly #options: ParsedArguments;
  readonly #engine: Engine;
  readonly #model: string | undefined;
  readonly #rpc = new JsonRpc((method, parameters) => this.#answer(method, parameters));
  readonly #sessions = new Map<string, AcpSession>();

  constructor(context: Context, options: ParsedArguments, engine: Engine) {
    this.#context = context;
    this.#options = options;
    this.#engine = engine;
    this.#model = readModel(options, engine);
  }

  async serve(): Promise<void> {
    const end = (): void => {
      for (const session of this.#sessions.values()) session[Symbol.dispose]();
    };
    await this.#rpc.serve(process.stdin, end);
  }

  async #answer(method: string, parameters: Parameters): Promise<unknown> {
    switch (method) {
      case "initialize":
        return this.#initialize(parameters);
      case "authenticate":
        return this.#requireSignIn();
      case "session/new":
        return this.#open(parameters);
      case "session/load":
        return this.#load(parameters);
      case "session/prompt":
        return this.#find(parameters).prompt(parameters["prompt"]);
      case "session/cancel":
        return this.#find(parameters).cancel();
      case "session/set_mode":
        return this.#find(parameters).chooseMode(parameters["modeId"]);
      default:
        return this.#choose(method, parameters);
    }
  }

  /** Each of the two engines has its own way to choose a model. */
  #choose(method: string, parameters: Parameters): unknown {
    if (this.#engine === "v2" && method === "session/set_model") {
      return this.#find(parameters).chooseModel(parameters["modelId"]);
    }
    if (this.#engine === "v3" && method === "session/set_config_option") {
      const session = this.#find(parameters);
      if (parameters["configId"] !== "model") throw invalid("no such option");
      session.chooseModel(parameters["value"]);
      return { configOptions: session.describeOptions() };
    }
    throw new RpcFailure(METHOD_NOT_FOUND, "Method not found");
  }

  async #initialize({ clientInfo, clientCapabilities }: Parameters): Promise<Parameters> {
    const able = (clientCapabilities ?? {}) as {
      terminal?: boolean;
      auth?: { terminal?: boolean };
    };
    if (clientInfo === undefined) throw invalid("missing field `clientInfo`");
    if (able.terminal === undefined) throw invalid("missing field `terminal`");
    const isOffered = offersLogin(this.#context) && able.auth?.terminal === true;
    const isSignedIn = (await loadCredentials(this.#context)) !== undefined;
    const login = {
      id: "kiro-cli-login",
      name: "kiro-cli login",
      type: "terminal",
      args: ["login"],
    };
    return {
      protocolVersion: 1,
      agentInfo: { name: "Kiro CLI Agent", version: this.#context.profile.version },
      agentCapabilities: { loadSession: true, mcpCapabilities: { http: true, sse: false } },
      authMethods: isOffered && !isSignedIn ? [login] : [],
    };
  }

  async #open(parameters: Parameters): Promise<Parameters> {
    const directory = readDirectory(parameters);
    await this.#requireSignIn();
    const session = await this.#start(directory, parameters, new Conversation(directory));
    return { sessionId: session.id, ...session.describe() };
  }

  async #load(parameters: Parameters): Promise<Parameters> {
    // On record: without `cwd` the program ends, and says nothing.
    if (parameters["cwd"] === undefined) throw new QuietExit(0);
    const directory = readDirectory(parameters);
    await this.#requireSignIn();
    const conversation = this.#resume(directory, String(parameters["sessionId"]));
    const session = await this.#start(directory, parameters, conversation);
    await session.replay();
    return session.describe();
  }

  #resume(directory: string, id: string): Conversation {
    try {
      const store = openConversations(this.#context, this.#engine, directory);
      return resumeConversation(store, directory, id) ?? new Conversation(directory);
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      throw new RpcFailure(INTERNAL, `Failed to start session: ${error.message}`);
    }
  }

  async #start(
    directory: string,
    parameters: Parameters,
    conversation: Conversation,
  ): Promise<AcpSession> {
    const context = { ...this.#context, directory };
    const engine = this.#engine;
    const agent = chooseAgent(context, this.#options, engine);
    const servers = { ...agent.mcpServers, ...readServers(parameters["mcpServers"]) };
    const session = new AcpSession({
      context,
      engine,
      rpc: this.#rpc,
      conversation,
      store: openConversations(context, engine, directory),
      agent,
      mcp: await McpServers.start(servers, { isRequired: false, directory }),
      model: this.#model,
      trust: readTrust(this.#options),
    });
    this.#sessions.get(session.id)?.[Symbol.dispose]();
    this.#sessions.set(session.id, session);
    return session;
  }

  async #requireSignIn(): Promise<void> {
    if ((await loadCredentials(this.#context)) === undefined) throw signedOut();
  }

  #find({ sessionId }: Parameters): AcpSession {
    const session = this.#sessions.get(String(sessionId));
    if (session === undefined) throw invalid(`no session '${String(sessionId)}'`);
    return session;
  }
}

function offersLogin({ profile }: Context): boolean {
  const [major = 0, minor = 0] = profile.version.split(".").map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = OFFERS_LOGIN_SINCE;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

function readDirectory({ cwd }: Parameters): string {
  if (typeof cwd !== "string" || !isAbsolute(cwd)) throw invalid("`cwd` must be an absolute path");
  return cwd;
}

interface NamedServer {
  name: string;
  command?: string;
  args?: string[];
  env?: { name: string; value: string }[];
  url?: string;
}

function readServers(servers: unknown): Record<string, ServerConfig> {
  const named = Array.isArray(servers) ? (servers as NamedServer[]) : [];
  return Object.fromEntries(
    named.map(({ name, env = [], ...server }) => [
      name,
      { ...server, env: Object.fromEntries(env.map((each) => [each.name, each.value])) },
    ]),
  );
}
