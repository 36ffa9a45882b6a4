import type { TemplateMcpServer } from "../../../protocol/template.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { instructionsFile } from "../../configuration/instructions.ts";
import type { Tree } from "../../configuration/tree.ts";

const INSTRUCTIONS = ".gemini/GEMINI.md";
const SETTINGS = ".gemini/settings.json";

/** A project's settings come before those of the home, so that no trust but `all` could be held. */
export const configuration: AgentConfiguration = {
  takes: ["steering", "prompt", "model", "mcp-command", "mcp-url"],
  keepsWorkspaceOut: false,
  compile,
  importable: {
    steering: [INSTRUCTIONS],
    mcp: [{ path: SETTINGS, keys: ["mcpServers"] }],
  },
};

function compile(wanted: WantedConfiguration): CompiledConfiguration {
  const { model } = wanted.agent;
  const servers = Object.entries(wanted.mcpServers).map(
    ([name, server]) => [name, describeServer(server)] as const,
  );
  const settings = { mcpServers: Object.fromEntries(servers) };
  return {
    files: [
      ...instructionsFile(INSTRUCTIONS, wanted),
      { path: SETTINGS, settings, format: "json", whole: ["mcpServers"] },
    ],
    ...(model === undefined ? {} : { arguments: { without: [], with: [`--model=${model}`] } }),
  };
}

/** `${VARIABLE}` is its own notation too. Its servers ask nobody, as everything else under trust `all`. */
function describeServer(server: TemplateMcpServer): Tree {
  if ("url" in server) {
    return { httpUrl: server.url, headers: server.headers ?? {}, trust: true };
  }
  const { command, args = [], environment = {} } = server;
  return { command, args, env: environment, trust: true };
}
