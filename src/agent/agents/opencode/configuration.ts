import type { TemplateMcpServer, Trust } from "../../../protocol/template-file.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  ConfigurationContext,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { instructionsFile } from "../../configuration/instructions.ts";
import type { Tree } from "../../configuration/tree.ts";
import { translateVariables } from "../../configuration/variable-text.ts";

const DIRECTORY = ".config/opencode";

export const configuration: AgentConfiguration = {
  takes: [
    "trust-list",
    "trust-ask",
    "steering",
    "prompt",
    "model",
    "subagents",
    "mcp-command",
    "mcp-url",
  ],
  keepsWorkspaceOut: true,
  compile,
  importable: { steering: [`${DIRECTORY}/AGENTS.md`] },
};

function compile(
  wanted: WantedConfiguration,
  { workspace }: ConfigurationContext,
): CompiledConfiguration {
  const {
    trust = "all",
    model,
    subagents = {},
    workspaceConfiguration: isOpen = false,
  } = wanted.agent;
  const servers = mapEntries(wanted.mcpServers, describeServer);
  const agents = mapEntries(subagents, (subagent) => ({
    description: subagent.description ?? "",
    mode: "subagent",
    prompt: subagent.prompt,
    ...(subagent.model === undefined ? {} : { model: subagent.model }),
    ...(subagent.trust === undefined || subagent.trust === "all"
      ? {}
      : { permission: describePermission(subagent.trust) }),
  }));
  const settings: Tree = {
    ...(model === undefined ? {} : { model }),
    ...(servers === undefined ? {} : { mcp: servers }),
    ...(agents === undefined ? {} : { agent: agents }),
    // With the project's settings its notes are left out too; those grant nothing, and are read all the same.
    ...(isOpen || workspace === null ? {} : { instructions: [`${workspace}/AGENTS.md`] }),
  };
  return {
    files: [
      ...instructionsFile(`${DIRECTORY}/AGENTS.md`, wanted),
      { path: `${DIRECTORY}/opencode.json`, settings, format: "json", whole: ["mcp", "agent"] },
    ],
    ...(trust === "all" ? {} : { arguments: { without: ["--auto"], with: [] } }),
    // SECURITY: these come before every file.
    environment: {
      ...(trust === "all"
        ? {}
        : { OPENCODE_PERMISSION: JSON.stringify(describePermission(trust)) }),
      ...(isOpen ? {} : { OPENCODE_DISABLE_PROJECT_CONFIG: "1" }),
    },
  };
}

/** By the names of its permissions, such as `bash` or `edit`; reading asks nobody. */
function describePermission(trust: Exclude<Trust, "all">): Tree {
  const listed = typeof trust === "string" ? [] : trust;
  const allowed = ["read", "glob", "grep", "list", "todowrite", "todoread", ...listed];
  return { "*": "ask", ...Object.fromEntries(allowed.map((name) => [name, "allow"])) };
}

function describeServer(server: TemplateMcpServer): Tree {
  const write = (texts: Readonly<Record<string, string>> = {}): Tree =>
    mapEntries(texts, (text) => translateVariables(text, (name) => `{env:${name}}`)) ?? {};
  if ("url" in server) {
    return { type: "remote", url: server.url, headers: write(server.headers), enabled: true };
  }
  const { command, args = [], environment } = server;
  const words = [command, ...args];
  return { type: "local", command: words, environment: write(environment), enabled: true };
}

/** Undefined for an empty table. */
function mapEntries<Value, Made extends Tree | string>(
  table: Readonly<Record<string, Value>>,
  make: (value: Value) => Made,
): Tree | undefined {
  const entries = Object.entries(table).map(([name, value]) => [name, make(value)] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
