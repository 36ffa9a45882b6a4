import type { TemplateMcpServer } from "../../../protocol/template-file.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { instructionsFile } from "../../configuration/instructions.ts";
import type { Tree } from "../../configuration/tree.ts";

export const configuration: AgentConfiguration = {
  takes: ["steering", "prompt", "model", "mcp-command", "mcp-url"],
  keepsWorkspaceOut: false,
  compile,
  importable: {
    steering: [".copilot/copilot-instructions.md"],
    mcp: [{ path: ".copilot/mcp-config.json", keys: ["mcpServers"] }],
  },
};

function compile(wanted: WantedConfiguration): CompiledConfiguration {
  const { model } = wanted.agent;
  const servers = Object.entries(wanted.mcpServers).map(
    ([name, server]) => [name, describeServer(server)] as const,
  );
  return {
    files: [
      ...instructionsFile(".copilot/copilot-instructions.md", wanted),
      {
        path: ".copilot/mcp-config.json",
        settings: { mcpServers: Object.fromEntries(servers) },
        format: "json",
        whole: ["mcpServers"],
      },
    ],
    ...(model === undefined ? {} : { arguments: { without: [], with: [`--model=${model}`] } }),
  };
}

/** `${VARIABLE}` is its own notation too. */
function describeServer(server: TemplateMcpServer): Tree {
  if ("url" in server) {
    return { type: "http", url: server.url, headers: server.headers ?? {}, tools: ["*"] };
  }
  const { command, args = [], environment = {} } = server;
  return { type: "local", command, args, env: environment, tools: ["*"] };
}
