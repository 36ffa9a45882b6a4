import { posix } from "node:path";

/** What becomes of one line of the protocol. */
export interface Passage {
  /** Goes on to the other side. */
  pass?: string;
  /** Goes back to the side it came from. */
  reply?: string;
}

interface Message {
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: unknown;
}

const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
const INVALID_REQUEST = -32600;
/** What an editor would do on this machine, outside the sandbox. */
const EDITOR_SERVICES = /^(fs|terminal)\//;
/** The name by which editors offered such logins before the protocol had one. */
const TERMINAL_LOGIN = "terminal-auth";
/** Carried out inside; such a login need not name its kind. */
const AGENT_LOGINS: ReadonlySet<unknown> = new Set([undefined, "agent"]);
const NAMES_DIRECTORY = /^session\/(new|load|resume|fork)$/;

/**
 * SECURITY: the Agent Client Protocol lets an agent read and write files and run commands through its editor, which
 * is outside the sandbox. So the editor's offer of them is taken out of its first message, and an agent that asks all
 * the same is refused here and not there: its own files and commands, inside, are what it has. A login in a terminal
 * is a command outside too, with arguments and variables that the agent chose, and one by variables starts the command
 * of the editor's settings again with variables that the agent named: of logins, only those that the agent carries out
 * itself are asked for and passed on.
 */
export class AcpFence {
  readonly #workspace: string;

  constructor(workspace: string) {
    this.#workspace = workspace;
  }

  fromEditor(line: string): Passage {
    const message = parse(line);
    if (message === undefined)
      return { reply: refuse(null, INVALID_REQUEST, "Not one JSON object.") };
    if (message.method === "initialize") return { pass: JSON.stringify(withoutServices(message)) };
    if (NAMES_DIRECTORY.test(String(message.method))) return this.#checkDirectory(line, message);
    return { pass: line };
  }

  fromAgent(line: string): Passage {
    const message = parse(line);
    // What is no message of the protocol, such as a warning, would only confuse the editor.
    if (message === undefined) return {};
    if (!EDITOR_SERVICES.test(String(message.method))) {
      const isAnswer = "result" in message || "error" in message;
      return { pass: isAnswer ? withoutLogins(message) : line };
    }
    if (message.id === undefined) return {};
    const why = "Files and commands of this session are those of its sandbox: use your own tools.";
    return { reply: refuse(message.id, METHOD_NOT_FOUND, why) };
  }

  #checkDirectory(line: string, message: Message): Passage {
    const directory = asRecord(message.params)["cwd"];
    if (directory === undefined || this.#contains(directory)) return { pass: line };
    const why = `Only ${this.#workspace}, and what lies below it, is in this sandbox.`;
    return { reply: refuse(message.id ?? null, INVALID_PARAMS, why) };
  }

  #contains(directory: unknown): boolean {
    if (typeof directory !== "string" || !posix.isAbsolute(directory)) return false;
    const path = posix.normalize(`${directory}/`);
    return path.startsWith(posix.normalize(`${this.#workspace}/`));
  }
}

function withoutServices(message: Message): Message {
  const params = asRecord(message.params);
  const capabilities = asRecord(params["clientCapabilities"]);
  const offer = {
    ...capabilities,
    fs: { readTextFile: false, writeTextFile: false },
    terminal: false,
  };
  const auth = { ...asRecord(capabilities["auth"]), terminal: false };
  const { [TERMINAL_LOGIN]: _, ...about } = asRecord(capabilities["_meta"]);
  return {
    ...message,
    params: { ...params, clientCapabilities: { ...offer, auth, _meta: about } },
  };
}

/** Written anew, so that what is read here is what the editor reads. */
function withoutLogins(message: Message): string {
  return JSON.stringify(message, (name, value: unknown) => {
    if (name !== "authMethods" || !Array.isArray(value)) return value;
    const inside = value.map(asRecord).filter(({ type }) => AGENT_LOGINS.has(type));
    return inside.map(({ _meta, ...method }) => method);
  });
}

function refuse(id: unknown, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } });
}

function parse(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
