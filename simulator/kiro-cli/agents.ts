import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { parseMarkdownAgent, readAgentFile, type AgentFile } from "./agent-file.ts";
import type { Context } from "./context.ts";
import { QuietExit } from "./failure.ts";
import type { Hook } from "./hooks.ts";
import type { ServerConfig } from "./mcp.ts";
import type { Engine } from "./profile.ts";

/** What of an agent's file the stand-in heeds. */
export interface AgentConfig {
  name: string;
  prompt: string | undefined;
  model: string | undefined;
  /** What it can see. */
  tools: readonly string[];
  /** What runs without asking. */
  allowedTools: readonly string[];
  /** Patterns of the files that it reads at its start. */
  resources: readonly string[];
  hooks: Readonly<Record<string, readonly Hook[]>>;
  mcpServers: Readonly<Record<string, ServerConfig>>;
}

const BUILT_IN = ["kiro_default", "kiro_planner", "kiro_guide"];
const DEFAULTS: AgentFile = {
  tools: ["*"],
  resources: [
    "file://AGENTS.md",
    "file://README.md",
    "file://AmazonQ.md",
    "file://.kiro/steering/**/*.md",
    "file://~/.kiro/steering/**/*.md",
  ],
  includeMcpJson: true,
};

/** The agent a run asks for: V2 and V3 end with 4 when it is missing, V1 warns and goes on. */
export function loadAgent(context: Context, name: string, engine: Engine): AgentConfig {
  if (BUILT_IN.includes(name)) return describe(context, { ...DEFAULTS, name });
  const [found, other] = agentFiles(context, engine).filter((file) => file.name === name);
  if (other !== undefined) {
    process.stderr.write(`WARNING Agent conflict for ${name}. Using workspace version.\n`);
  }
  if (found !== undefined) return describe(context, found);
  process.stderr.write(`Error: no agent with name ${name} found. Falling back to kiro_default\n`);
  if (engine !== "v1") throw new QuietExit(4);
  return describe(context, { ...DEFAULTS, name: "kiro_default" });
}

function describe(context: Context, file: AgentFile): AgentConfig {
  const { name = "", hooks = {}, mcpServers = {}, prompt, model } = file;
  const { tools = [], allowedTools = [], resources = [] } = file;
  const shared = file.includeMcpJson === true ? sharedServers(context) : {};
  const servers = { ...shared, ...mcpServers };
  return { name, prompt, model, tools, allowedTools, resources, hooks, mcpServers: servers };
}

/** The project's before those of home. */
function agentFiles(context: Context, engine: Engine): AgentFile[] {
  const folders = [join(context.directory, ".kiro", "agents"), join(context.places.kiro, "agents")];
  return folders
    .filter(existsSync)
    .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    .flatMap((path) => {
      const found = readFile(path, engine);
      return found === undefined ? [] : [{ name: basename(path, extname(path)), ...found }];
    });
}

/** Markdown is V3's alone. */
function readFile(path: string, engine: Engine): AgentFile | undefined {
  if (path.endsWith(".json")) return readAgentFile(path, engine);
  if (!path.endsWith(".md") || engine !== "v3") return undefined;
  return parseMarkdownAgent(readFileSync(path, "utf8"));
}

function sharedServers(context: Context): Record<string, ServerConfig> {
  const files = [
    join(context.places.kiro, "settings", "mcp.json"),
    join(context.directory, ".kiro", "settings", "mcp.json"),
  ].filter(existsSync);
  return Object.assign(
    {},
    ...files.map((path) => (JSON.parse(readFileSync(path, "utf8")) as AgentFile).mcpServers ?? {}),
  ) as Record<string, ServerConfig>;
}
