import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./context.ts";
import { QuietExit } from "./failure.ts";
import type { Hook } from "./hooks.ts";
import type { ServerConfig } from "./mcp.ts";
import type { Engine } from "./profile.ts";

/** What of an agent's file the stand-in heeds. */
export interface AgentConfig {
  name: string;
  /** What runs without asking. */
  allowedTools: readonly string[];
  hooks: Readonly<Record<string, readonly Hook[]>>;
  mcpServers: Readonly<Record<string, ServerConfig>>;
}

interface AgentFile {
  name?: string;
  allowedTools?: string[];
  hooks?: Record<string, Hook[]>;
  mcpServers?: Record<string, ServerConfig>;
  includeMcpJson?: boolean;
}

const BUILT_IN = ["kiro_default", "kiro_planner", "kiro_guide"];

/** The agent a run asks for: V2 and V3 end with 4 when it is missing, V1 warns and goes on. */
export function loadAgent(context: Context, name: string, engine: Engine): AgentConfig {
  if (BUILT_IN.includes(name)) return describe(context, { name, includeMcpJson: true });
  const found = agentFiles(context).find((file) => file.name === name);
  if (found !== undefined) return describe(context, found);
  process.stderr.write(`Error: no agent with name ${name} found. Falling back to kiro_default\n`);
  if (engine !== "v1") throw new QuietExit(4);
  return describe(context, { name: "kiro_default", includeMcpJson: true });
}

function describe(context: Context, file: AgentFile): AgentConfig {
  const { name = "", allowedTools = [], hooks = {}, mcpServers = {} } = file;
  const shared = file.includeMcpJson === true ? sharedServers(context) : {};
  return { name, allowedTools, hooks, mcpServers: { ...shared, ...mcpServers } };
}

/** The project's before those of home. */
function agentFiles(context: Context): AgentFile[] {
  const folders = [join(context.directory, ".kiro", "agents"), join(context.places.kiro, "agents")];
  return folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => ({ name: name.slice(0, -5), ...readJson<AgentFile>(join(folder, name)) })),
  );
}

function sharedServers(context: Context): Record<string, ServerConfig> {
  const files = [
    join(context.places.kiro, "settings", "mcp.json"),
    join(context.directory, ".kiro", "settings", "mcp.json"),
  ].filter(existsSync);
  return Object.assign(
    {},
    ...files.map((path) => readJson<AgentFile>(path).mcpServers ?? {}),
  ) as Record<string, ServerConfig>;
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, "utf8")) as T;
}
