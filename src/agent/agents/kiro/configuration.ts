import type { TemplateAgent } from "../../../protocol/template-file.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  ConfigurationContext,
  ConfigurationFile,
  HomeFiles,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { settingUnavailable } from "../../configuration/refusal.ts";
import { readTree } from "../../configuration/settings-text.ts";
import { isTree, type Tree } from "../../configuration/tree.ts";
import { type AgentFileParts, describeAgent, KEYS } from "./agent-file.ts";
import { describeMarkdownAgent } from "./markdown-agent.ts";
import { engineOf, interactiveWords } from "./versions.ts";

const SETTINGS = ".kiro/settings/cli.json";
const SERVERS = ".kiro/settings/mcp.json";
const AGENTS = ".kiro/agents";
const DEFAULT_AGENT = "chat.defaultAgent";
const TRUSTING = "--trust-all-tools";

export const configuration: AgentConfiguration = {
  takes: [
    "trust-builtin",
    "trust-list",
    "trust-ask",
    "steering",
    "prompt",
    "model",
    "resources",
    "hooks",
    "subagents",
    "mcp-command",
    "mcp-url",
    "mcp-trusted",
  ],
  keepsWorkspaceOut: true,
  compile,
  importable: {
    steering: [".kiro/steering"],
    mcp: [{ path: SERVERS, keys: ["mcpServers"] }],
  },
};

/**
 * SECURITY: a workspace's agent takes the place of one of the same name in the home directory, hooks and trust included. So
 * the names contain what no workspace can know, and a workspace that knows it all the same is refused.
 */
function compile(
  wanted: WantedConfiguration,
  context: ConfigurationContext,
): CompiledConfiguration {
  const { agent } = wanted;
  const isOpen = agent.workspaceConfiguration === true;
  const nameOf = (name: string): string => (isOpen ? name : `${name}-${context.token}`);
  const subagents = Object.keys(agent.subagents ?? {});
  const parts: AgentFileParts = {
    name: nameOf(wanted.name),
    description: wanted.title,
    home: context.home,
    agent,
    mcpServers: wanted.mcpServers,
    subagents: subagents.map(nameOf),
  };
  checkVersion(agent, context);
  const setup = { version: context.version ?? "", options: { engine: context.engine } };
  const isMarkdown = engineOf(setup).engine === "v3";
  const chosen = isMarkdown ? `${parts.name}-v3` : parts.name;
  const others = isMarkdown
    ? [describeForV3({ ...parts, name: chosen })]
    : describeSubagents(wanted, parts);
  return {
    files: [
      ...wanted.steering.map(({ name, content }) => ({ path: `.kiro/steering/${name}`, content })),
      describeMain(parts),
      ...others,
      // Whoever starts it by hand gets the same agent.
      { path: SETTINGS, settings: { [DEFAULT_AGENT]: parts.name }, format: "json" },
    ],
    reads: [SETTINGS, SERVERS, AGENTS],
    arguments: {
      without: (agent.trust ?? "all") === "all" ? [] : [TRUSTING],
      with: [`--agent=${chosen}`],
    },
    fixed: (agent.trust ?? "all") === "all" ? [] : ["-a", "--trust-tools"],
    interactive: interactiveWords(setup.version),
    ...(isOpen ? {} : { guarded: AGENTS }),
  };
}

/** 2.0.0 waits for ever for an answer that nobody can give. */
function checkVersion({ trust = "all" }: TemplateAgent, { version }: ConfigurationContext): void {
  if (version !== "2.0.0" || trust === "all") return;
  throw settingUnavailable("Kiro CLI 2.0.0", "be asked to ask: it hangs without a person", {
    hint: "Use a later version, or `trust: all`.",
  });
}

function describeMain(parts: AgentFileParts): ConfigurationFile {
  const settings = describeAgent(parts);
  return {
    path: `${AGENTS}/${parts.name}.json`,
    settings,
    format: "json",
    whole: ["mcpServers", "hooks"],
    keys: KEYS,
    base: (home) => findBase(home, parts.agent.workspaceConfiguration === true),
  };
}

function describeForV3(parts: AgentFileParts): ConfigurationFile {
  return { path: `${AGENTS}/${parts.name}.md`, content: describeMarkdownAgent(parts) };
}

function describeSubagents(wanted: WantedConfiguration, main: AgentFileParts): ConfigurationFile[] {
  const { workspaceConfiguration = false, subagents = {} } = wanted.agent;
  return Object.entries(subagents).map(([title, subagent], index) => {
    const name = main.subagents[index] ?? title;
    const agent = { trust: wanted.agent.trust, ...subagent, workspaceConfiguration };
    const tree = describeAgent({
      name,
      description: subagent.description ?? title,
      home: main.home,
      agent,
      mcpServers: wanted.mcpServers,
      subagents: [],
    });
    return { path: `${AGENTS}/${name}.json`, content: `${JSON.stringify(tree, null, 2)}\n` };
  });
}

/** What the template's setup made of the home: the agent that it chose, and the servers that it added for every agent. */
function findBase(home: HomeFiles, hasSharedServers: boolean): Tree {
  const chosen = readTree(home.get(SETTINGS))[DEFAULT_AGENT];
  const found = typeof chosen === "string" ? readTree(home.get(`${AGENTS}/${chosen}.json`)) : {};
  const shared = hasSharedServers ? {} : readTree(home.get(SERVERS))["mcpServers"];
  const own = found["mcpServers"];
  const mcpServers = { ...(isTree(shared) ? shared : {}), ...(isTree(own) ? own : {}) };
  // Its former name for the same thing.
  const { useLegacyMcpJson: _former, ...rest } = found;
  return { ...rest, mcpServers };
}
