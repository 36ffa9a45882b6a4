import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Context } from "./context.ts";
import { QuietExit } from "./failure.ts";

/** Checks the agent a run asks for: V2 ends with 4 when it is missing, V1 warns and goes on. */
export function checkAgent(context: Context, name: string | undefined, engine: "v1" | "v2"): void {
  if (name === undefined || name === "kiro_default") return;
  const folders = [join(process.cwd(), ".kiro", "agents"), join(context.places.kiro, "agents")];
  if (folders.some((folder) => existsSync(join(folder, `${name}.json`)))) return;
  process.stderr.write(`Error: no agent with name ${name} found. Falling back to kiro_default\n`);
  if (engine === "v2") throw new QuietExit(4);
}

/** With --require-mcp-startup, ends with 3 when a configured MCP server's program does not exist. */
export function checkMcpServers(context: Context, isRequired: boolean): void {
  const files = [
    join(process.cwd(), ".kiro", "settings", "mcp.json"),
    join(context.places.kiro, "settings", "mcp.json"),
  ];
  const commands = files.filter(existsSync).flatMap(readCommands);
  const missing = commands.filter(([, command]) => !isProgram(command, context.environment));
  for (const [server] of missing) {
    process.stderr.write(`MCP server ${server} failed to start\n`);
  }
  if (isRequired && missing.length > 0) throw new QuietExit(3);
}

function readCommands(path: string): [string, string][] {
  const { mcpServers = {} } = JSON.parse(readFileSync(path, "utf8")) as {
    mcpServers?: Record<string, { command?: string; disabled?: boolean }>;
  };
  return Object.entries(mcpServers).flatMap(([name, { command, disabled }]) =>
    command === undefined || disabled === true ? [] : [[name, command] as [string, string]],
  );
}

function isProgram(command: string, environment: NodeJS.ProcessEnv): boolean {
  const folders = command.includes("/") ? [""] : (environment["PATH"] ?? "").split(delimiter);
  return folders.some((folder) => {
    try {
      accessSync(folder === "" ? command : join(folder, command), constants.X_OK);
      return true;
    } catch (error) {
      if (error instanceof Error) return false;
      throw error;
    }
  });
}
