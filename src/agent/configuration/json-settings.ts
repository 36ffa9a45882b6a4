import type { TemplateMcpServer, Trust } from "../../protocol/template-file.ts";
import type { ArgumentChange } from "../../protocol/argument-rule.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  ConfigurationContext,
  ConfigurationFile,
  WantedConfiguration,
} from "./configuration.ts";
import { instructionsFile } from "./instructions.ts";
import { settingUnavailable } from "./refusal.ts";
import { layOver, type Tree } from "./tree.ts";

/** What a held trust is made of. */
export interface TrustToHold {
  trust: Exclude<Trust, "all">;
  /** Whether the workspace's own configuration may count. */
  isOpen: boolean;
  /** Tools of servers that ask nobody. */
  trusted: readonly { server: string; tool: string }[];
}

/** How an agent is kept to a trust that is not `all`. */
export interface HeldTrust {
  files: readonly ConfigurationFile[];
  /** Laid over its settings file with all else. */
  settings: Tree;
  arguments: ArgumentChange;
  environment: Readonly<Record<string, string>>;
  fixed: readonly string[];
}

const NOTHING_HELD: HeldTrust = {
  files: [],
  settings: {},
  arguments: { without: [], with: [] },
  environment: {},
  fixed: [],
};

export interface JsonSettingsAgent {
  title: string;
  /** Markdown that comes before every conversation, below the home. */
  instructions: string;
  /** JSON settings, below the home. */
  settings: string;
  /** Variables that let the workspace's own configuration count. Default: none are needed. */
  open?: Readonly<Record<string, string>>;
  hold(wanted: TrustToHold, context: ConfigurationContext): HeldTrust;
}

/**
 * For agents whose settings file has `mcpServers`, and that leave a workspace's own configuration out where its folder is
 * not trusted. In such a folder they start no server at all.
 */
export function createJsonSettings(agent: JsonSettingsAgent): AgentConfiguration {
  return {
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
    compile: (wanted, context) => compile(agent, wanted, context),
    importable: {
      steering: [agent.instructions],
      mcp: [{ path: agent.settings, keys: ["mcpServers"] }],
    },
  };
}

function compile(
  agent: JsonSettingsAgent,
  wanted: WantedConfiguration,
  context: ConfigurationContext,
): CompiledConfiguration {
  const { trust = "all", model, workspaceConfiguration: isOpen = false } = wanted.agent;
  const held =
    trust === "all" ? NOTHING_HELD : agent.hold(describeTrust(agent, wanted, trust), context);
  const servers = Object.entries(wanted.mcpServers).map(
    ([name, server]) => [name, describeServer(server, trust === "all")] as const,
  );
  const settings = layOver({ mcpServers: Object.fromEntries(servers) }, held.settings);
  const chosen = model === undefined ? [] : [`--model=${model}`];
  return {
    files: [
      ...instructionsFile(agent.instructions, wanted),
      { path: agent.settings, settings, format: "json", whole: ["mcpServers"] },
      ...held.files,
    ],
    arguments: { without: held.arguments.without, with: [...held.arguments.with, ...chosen] },
    fixed: held.fixed,
    environment: { ...(isOpen ? agent.open : {}), ...held.environment },
  };
}

function describeTrust(
  { title }: JsonSettingsAgent,
  { agent, mcpServers }: WantedConfiguration,
  trust: TrustToHold["trust"],
): TrustToHold {
  const { workspaceConfiguration: isOpen = false } = agent;
  const servers = Object.entries(mcpServers);
  if (!isOpen && servers.length > 0) {
    const what = "start MCP servers while it leaves the workspace's own configuration out";
    throw settingUnavailable(title, what, {
      hint: "Leave the servers out, say `trust: all`, or `workspaceConfiguration: true` if the workspace's may count.",
    });
  }
  const trusted = servers.flatMap(([server, { trusted: tools = [] }]) =>
    tools.map((tool) => ({ server, tool })),
  );
  return { trust, isOpen, trusted };
}

/** `${VARIABLE}` is their own notation too. Under trust `all` their servers ask nobody, as everything else. */
function describeServer(server: TemplateMcpServer, trust: boolean): Tree {
  if ("url" in server) return { httpUrl: server.url, headers: server.headers ?? {}, trust };
  const { command, args = [], environment = {} } = server;
  return { command, args, env: environment, trust };
}
