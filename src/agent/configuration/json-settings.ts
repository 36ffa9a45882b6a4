import type { TemplateMcpServer } from "../../protocol/template-file.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  WantedConfiguration,
} from "./configuration.ts";
import { instructionsFile } from "./instructions.ts";
import type { Tree } from "./tree.ts";

export interface JsonSettingsPlaces {
  /** Markdown that comes before every conversation, below the home. */
  instructions: string;
  /** JSON settings, below the home. */
  settings: string;
}

/**
 * For agents whose settings file has `mcpServers`, and whose project's settings come before those of the home, so that
 * no trust but `all` could be held.
 */
export function createJsonSettings(places: JsonSettingsPlaces): AgentConfiguration {
  return {
    takes: ["steering", "prompt", "model", "mcp-command", "mcp-url"],
    keepsWorkspaceOut: false,
    compile: (wanted) => compile(places, wanted),
    importable: {
      steering: [places.instructions],
      mcp: [{ path: places.settings, keys: ["mcpServers"] }],
    },
  };
}

function compile(
  { instructions, settings: path }: JsonSettingsPlaces,
  wanted: WantedConfiguration,
): CompiledConfiguration {
  const { model } = wanted.agent;
  const servers = Object.entries(wanted.mcpServers).map(
    ([name, server]) => [name, describeServer(server)] as const,
  );
  const settings = { mcpServers: Object.fromEntries(servers) };
  return {
    files: [
      ...instructionsFile(instructions, wanted),
      { path, settings, format: "json", whole: ["mcpServers"] },
    ],
    ...(model === undefined ? {} : { arguments: { without: [], with: [`--model=${model}`] } }),
  };
}

/** `${VARIABLE}` is their own notation too. Their servers ask nobody, as everything else under trust `all`. */
function describeServer(server: TemplateMcpServer): Tree {
  if ("url" in server) {
    return { httpUrl: server.url, headers: server.headers ?? {}, trust: true };
  }
  const { command, args = [], environment = {} } = server;
  return { command, args, env: environment, trust: true };
}
