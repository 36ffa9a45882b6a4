import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { ToolCall, ToolResult } from "./conversation.ts";
import type { McpServers } from "./mcp.ts";
import type { TurnView } from "./view.ts";

export interface ToolRun {
  tool: ToolCall;
  view: TurnView;
  environment: NodeJS.ProcessEnv;
  /** What paths are relative to, and where commands run. */
  directory: string;
  commandInput: "inherit" | "ignore";
  sessionId: string;
  signal: AbortSignal;
  mcp: McpServers;
  askEditor: ((method: string, parameters: unknown) => Promise<unknown>) | undefined;
  /** Runs another agent with this task and returns what it said last. */
  delegate(query: string): Promise<string>;
}

const RESULT_CHARACTERS_MAX = 30_000;

const PUBLIC_NAMES: Readonly<Record<string, string>> = {
  fs_read: "read",
  fs_write: "write",
  execute_bash: "shell",
  use_subagent: "subagent",
};

/** Tools that run unasked when nothing else was trusted. */
const READ_ONLY = new Set(["fs_read"]);

export function isTrusted(tool: ToolCall, trust: "all" | readonly string[] | undefined): boolean {
  if (trust === "all") return true;
  if (trust === undefined) return READ_ONLY.has(tool.name);
  return isListed(tool, trust);
}

/** Whether an agent's `tools` has it. */
export function isVisible(tool: ToolCall, tools: readonly string[]): boolean {
  return tools.includes("*") || isListed(tool, tools);
}

/** By its own name or Kiro's other one, with all built-in ones, or with all of its server. `*` and `?` stand for others. */
function isListed(tool: ToolCall, list: readonly string[]): boolean {
  const isServers = tool.name.startsWith("@");
  if (!isServers && list.includes("@builtin")) return true;
  const names = isServers
    ? [tool.name, tool.name.replace(/\/.*$/, "")]
    : [tool.name, PUBLIC_NAMES[tool.name] ?? tool.name];
  return list.some((pattern) => pattern !== "*" && names.some((name) => matches(name, pattern)));
}

function matches(name: string, pattern: string): boolean {
  const parts = pattern.split(/([*?])/).map((part) => {
    if (part === "*") return ".*";
    return part === "?" ? "." : part.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`).test(name);
}

/** Runs one tool for real and shows it in the words of the V1 engine. */
export async function runTool(run: ToolRun): Promise<ToolResult> {
  const startedAtMs = performance.now();
  try {
    const content = await perform(run);
    await run.view.tool(` - Completed in ${duration(startedAtMs)}\n\n`);
    return { tool_use_id: run.tool.id, status: "Success", content };
  } catch (error) {
    run.signal.throwIfAborted();
    const { message } = error as Error;
    process.stderr.write(` ● Execution failed after ${duration(startedAtMs)}:\n${message}\n`);
    return { tool_use_id: run.tool.id, status: "Error", content: message };
  }
}

function perform(run: ToolRun): Promise<unknown> {
  switch (run.tool.name) {
    case "execute_bash":
      return executeBash(run);
    case "fs_write":
      return writeFileTool(run);
    case "fs_read":
      return readFilesTool(run);
    case "use_subagent":
      return useSubagents(run);
    case "ask_editor":
      return askEditor(run);
    default:
      if (run.tool.name.startsWith("@")) return callServer(run);
      throw new Error(`the simulator has no tool named ${run.tool.name}`);
  }
}

/** Milliseconds are not padded: `0.4s` can mean four milliseconds. */
function duration(startedAtMs: number): string {
  const elapsedMs = Math.round(performance.now() - startedAtMs);
  return `${String(Math.floor(elapsedMs / 1000))}.${String(elapsedMs % 1000)}s`;
}

async function executeBash({
  tool,
  view,
  environment,
  directory,
  commandInput,
  sessionId,
  signal,
}: ToolRun): Promise<unknown> {
  const command = text(tool, "command");
  await view.tool(
    `I will run the following command: ${command} (using tool: shell)\n${purpose(tool)}\n`,
  );
  const shell = environment["KIRO_CHAT_SHELL"] ?? "bash";
  // The command keeps this program's process group, so a terminal's Ctrl-C reaches both.
  const child = spawn(shell, ["-c", command], {
    stdio: [commandInput, "pipe", "pipe"],
    cwd: directory,
    env: { ...environment, KIRO_SESSION_ID: sessionId },
  });
  // What the command started may hold its pipes open for longer than it lives itself.
  const onAbort = (): void => {
    child.kill("SIGTERM");
    child.stdout.destroy();
    child.stderr.destroy();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const closed = once(child, "close") as Promise<[number | null]>;
    const [stdout, stderr] = await Promise.all([
      show(child.stdout, view),
      show(child.stderr, view),
    ]);
    const [status] = await closed;
    signal.throwIfAborted();
    return { exit_status: String(status), stdout, stderr };
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function show(stream: AsyncIterable<Buffer>, view: TurnView): Promise<string> {
  let kept = "";
  for await (const bytes of stream) {
    await view.raw(bytes);
    if (kept.length < RESULT_CHARACTERS_MAX) kept += bytes.toString();
  }
  return kept.slice(0, RESULT_CHARACTERS_MAX);
}

/** All at once, as Kiro runs them; at most four. What it prints of them is the simulator's wording. */
async function useSubagents({ tool, view, delegate }: ToolRun): Promise<unknown> {
  const queries = ((tool.args["subagents"] ?? []) as { query: string }[]).slice(0, 4);
  await view.tool(`Running ${String(queries.length)} subagents (using tool: subagent)\n`);
  const said = await Promise.all(queries.map(({ query }) => delegate(query)));
  for (const [index, text] of said.entries()) {
    await view.tool(` ✓ Subagent ${String(index + 1)}: ${text}\n`);
  }
  return said;
}

/** No tool of Kiro's: what an agent that goes for its editor's files and commands does. */
async function askEditor({ tool, askEditor: ask }: ToolRun): Promise<unknown> {
  if (ask === undefined) throw new Error("no editor is there");
  return ask(text(tool, "method"), tool.args["params"]);
}

/** A tool of an MCP server, `@server/tool`. What it prints is the simulator's wording. */
async function callServer({ tool, view, mcp }: ToolRun): Promise<unknown> {
  const [server = "", name = ""] = tool.name.slice(1).split("/");
  await view.tool(`Running tool ${name} of MCP server ${server} (using tool: ${tool.name})\n`);
  const text = await mcp.call(server, name, tool.args);
  await view.tool(` ✓ ${text}\n`);
  return text;
}

async function writeFileTool({ tool, view, directory }: ToolRun): Promise<unknown> {
  const path = text(tool, "path");
  const content = text(tool, "file_text");
  const lines = content.replace(/\n$/, "").split("\n");
  const diff = lines.map((line, index) => `+${String(index + 1).padStart(5)}: ${line}\n`).join("");
  await view.tool(
    `I'll create the following file: ${path} (using tool: write)\n${purpose(tool)}\n${diff}`,
  );
  await view.tool(`Creating: ${path}\n`);
  const target = resolve(directory, path);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, content);
  return "";
}

async function readFilesTool({ tool, view, directory }: ToolRun): Promise<unknown> {
  const operations = (tool.args["operations"] ?? []) as readonly { path: string }[];
  const [only] = operations;
  if (operations.length === 1 && only !== undefined) {
    await view.tool(`Reading file: ${only.path}, all lines (using tool: read)\n`);
    const bytes = await readFile(resolve(directory, only.path));
    await view.tool(` ✓ Successfully read ${String(bytes.length)} bytes from ${only.path}\n`);
    return bytes.toString().slice(0, RESULT_CHARACTERS_MAX);
  }
  return readBatch(operations, view, directory);
}

async function readBatch(
  operations: readonly { path: string }[],
  view: TurnView,
  directory: string,
): Promise<readonly unknown[]> {
  const count = operations.length;
  await view.tool(`Batch fs_read operation with ${String(count)} operations (using tool: read)\n`);
  const contents: unknown[] = [];
  for (const [index, { path }] of operations.entries()) {
    await view.tool(`↱ Operation ${String(index + 1)}: Reading file: ${path}, all lines\n ⋮\n`);
    contents.push(await readFile(resolve(directory, path), "utf8").catch(absentAsUndefined));
  }
  const failed = contents.filter((content) => content === undefined).length;
  const counts = `${String(count - failed)} successful, ${String(failed)} failed`;
  await view.tool(` - Summary: ${String(count)} operations processed, ${counts}\n`);
  return contents;
}

function absentAsUndefined(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
  return undefined;
}

function text(tool: ToolCall, key: string): string {
  const value = tool.args[key];
  return typeof value === "string" ? value : "";
}

function purpose(tool: ToolCall): string {
  const summary = text(tool, "summary");
  return summary === "" ? "" : `Purpose: ${summary}\n`;
}
