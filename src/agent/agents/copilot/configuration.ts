import type { TemplateMcpServer, Trust } from "../../../protocol/template-file.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { instructionsFile } from "../../configuration/instructions.ts";
import type { Tree } from "../../configuration/tree.ts";

const TRUSTING = "--allow-all-tools";
/** By its own kinds of what is asked about; reading asks nobody. */
const BUILT_IN = ["shell", "write", "url"];
/** Options by which a person could trust more, or have more counted. */
const WIDENING = [
  "--allow-all",
  "--allow-tool",
  "--allow-url",
  "--allow-all-urls",
  "--yolo",
  "--assisted-approval",
  "--trust-folder",
  "--add-dir",
  "--plugin-dir",
  "--additional-mcp-config",
];

export const configuration: AgentConfiguration = {
  takes: [
    "trust-builtin",
    "trust-list",
    "trust-ask",
    "steering",
    "prompt",
    "model",
    "mcp-command",
    "mcp-url",
    "mcp-trusted",
  ],
  keepsWorkspaceOut: true,
  compile,
  importable: {
    steering: [".copilot/copilot-instructions.md"],
    mcp: [{ path: ".copilot/mcp-config.json", keys: ["mcpServers"] }],
  },
};

function compile(wanted: WantedConfiguration): CompiledConfiguration {
  const { model, trust = "all" } = wanted.agent;
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
    arguments: {
      without: trust === "all" ? [] : [TRUSTING],
      with: [
        ...(trust === "all"
          ? []
          : listAllowed(trust, wanted).map((tool) => `--allow-tool=${tool}`)),
        ...(model === undefined ? [] : [`--model=${model}`]),
      ],
    },
    ...(trust === "all" ? {} : hold(wanted)),
  };
}

/**
 * SECURITY: only where a folder is trusted does it read a project's settings, hooks, servers and skills, and its variable
 * that trusts every tool trusts the folder as well. At a terminal it goes on in a trusted folder only.
 */
function hold({ agent }: WantedConfiguration): Partial<CompiledConfiguration> {
  const isOpen = agent.workspaceConfiguration === true;
  return {
    environment: { COPILOT_ALLOW_ALL: "false" },
    fixed: WIDENING,
    ...(isOpen
      ? {}
      : {
          turnsOnly:
            "leave the workspace's own configuration out at a terminal, where it wants its folder trusted",
        }),
  };
}

/** Kinds, such as `shell(git:*)` or `write`, and servers' tools. */
function listAllowed(
  trust: Exclude<Trust, "all">,
  { mcpServers }: WantedConfiguration,
): readonly string[] {
  const trusted = Object.entries(mcpServers).flatMap(([server, { trusted: tools = [] }]) =>
    tools.map((tool) => `${server}(${tool})`),
  );
  if (trust === "ask") return trusted;
  return [...(trust === "builtin" ? BUILT_IN : trust), ...trusted];
}

/** `${VARIABLE}` is its own notation too. */
function describeServer(server: TemplateMcpServer): Tree {
  if ("url" in server) {
    return { type: "http", url: server.url, headers: server.headers ?? {}, tools: ["*"] };
  }
  const { command, args = [], environment = {} } = server;
  return { type: "local", command, args, env: environment, tools: ["*"] };
}
