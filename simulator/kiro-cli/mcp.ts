import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { QuietExit } from "./failure.ts";

export interface ServerConfig {
  command?: string;
  args?: string[];
  env?: Record<string, string>;
  url?: string;
  headers?: Record<string, string>;
  disabled?: boolean;
}

interface Reply {
  id?: number;
  result?: unknown;
  error?: { message: string };
}

/** One connection to an MCP server: JSON-RPC over a program's stdio, or by HTTP. */
interface Connection {
  send(message: object): Promise<Reply | undefined>;
  close(): void;
}

/** The MCP servers of one run, each started and asked what it is. */
export class McpServers implements Disposable {
  readonly #connections = new Map<string, Connection>();
  readonly #directory: string;
  #lastId = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Servers that fail are warned of; with `isRequired` the program ends with 3. Programs start in `directory`. */
  static async start(
    configs: Readonly<Record<string, ServerConfig>>,
    { isRequired, directory }: { isRequired: boolean; directory: string },
  ): Promise<McpServers> {
    const servers = new McpServers(directory);
    for (const [name, config] of Object.entries(configs)) {
      if (config.disabled === true) continue;
      try {
        await servers.#open(name, config);
      } catch (error) {
        process.stderr.write(`MCP server ${name} failed to start: ${(error as Error).message}\n`);
        if (!isRequired) continue;
        servers[Symbol.dispose]();
        throw new QuietExit(3);
      }
    }
    return servers;
  }

  async call(server: string, tool: string, args: unknown): Promise<string> {
    const result = await this.#ask(server, "tools/call", { name: tool, arguments: args });
    const { content = [] } = result as { content?: { type: string; text?: string }[] };
    return content.map(({ text = "" }) => text).join("\n");
  }

  [Symbol.dispose](): void {
    for (const connection of this.#connections.values()) connection.close();
  }

  async #open(name: string, config: ServerConfig): Promise<void> {
    const { url, command } = config;
    const connection =
      url === undefined ? openProgram(config, this.#directory) : openAddress(url, config);
    if (url === undefined && command === undefined) throw new Error("it has no command and no url");
    this.#connections.set(name, connection);
    await this.#ask(name, "initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "kiro-cli-simulator", version: "1" },
    });
    await connection.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    await this.#ask(name, "tools/list", {});
  }

  async #ask(server: string, method: string, params: object): Promise<unknown> {
    const connection = this.#connections.get(server);
    if (connection === undefined) throw new Error(`no MCP server ${server}`);
    const id = ++this.#lastId;
    const reply = await connection.send({ jsonrpc: "2.0", id, method, params });
    if (reply?.error !== undefined) throw new Error(reply.error.message);
    return reply?.result ?? {};
  }
}

function openProgram(
  { command = "", args = [], env = {} }: ServerConfig,
  directory: string,
): Connection {
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: directory,
    env: { ...process.env, ...expand(env) },
  });
  const failed = once(child, "error").then(([error]) => Promise.reject(error as Error));
  failed.catch((error: unknown) => void error);
  // A server that ended is told by its end, not by what it no longer reads.
  child.stdin.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") child.stdin.destroy(error);
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const reply = JSON.parse(line) as Reply;
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
  });
  return {
    send: (message) => Promise.race([sendToProgram(child, waiting, message), failed]),
    close: () => void child.kill(),
  };
}

async function sendToProgram(
  child: ChildProcessByStdio<Writable, Readable, null>,
  waiting: Map<number, (reply: Reply) => void>,
  message: object,
): Promise<Reply | undefined> {
  child.stdin.write(`${JSON.stringify(message)}\n`);
  const { id } = message as Reply;
  if (id === undefined) return undefined;
  const ended = once(child, "close").then(() => ({ error: { message: "it ended" } }));
  const answered = new Promise<Reply>((resolve) => waiting.set(id, resolve));
  return Promise.race([answered, ended]);
}

/** `${VARIABLE}` stands for a variable of the program's own. */
function expand(values: Readonly<Record<string, string>>): Record<string, string> {
  const fill = (text: string): string =>
    text.replace(/\$\{(\w+)\}/g, (_, name: string) => process.env[name] ?? "");
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, fill(value)]));
}

function openAddress(url: string, { headers = {} }: ServerConfig): Connection {
  return {
    async send(message) {
      const sent = httpRequest(url, {
        method: "POST",
        agent: false,
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...expand(headers),
        },
      });
      sent.end(JSON.stringify(message));
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      if ((answer.statusCode ?? 0) >= 300) throw new Error(`HTTP ${String(answer.statusCode)}`);
      return text === "" ? undefined : (JSON.parse(text) as Reply);
    },
    close: () => undefined,
  };
}
