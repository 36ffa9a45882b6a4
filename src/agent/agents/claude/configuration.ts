import type { TemplateMcpServer, Trust } from "../../../protocol/template-file.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  ConfigurationContext,
  ConfigurationFile,
  HomeFiles,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { toMilliseconds } from "../../configuration/duration.ts";
import { joinInstructions } from "../../configuration/instructions.ts";
import { settingUnavailable } from "../../configuration/refusal.ts";
import { readTree } from "../../configuration/settings-text.ts";
import { isTree, type Tree } from "../../configuration/tree.ts";

const SETTINGS = ".claude/template-settings.json";
const SERVERS = ".claude/template-servers.json";
const INSTRUCTIONS = ".claude/CLAUDE.md";
/** Holds, among much else, the servers that were added for every project. */
const STATE = ".claude.json";
const TRUSTING = "--dangerously-skip-permissions";
/** What comes with it; servers' tools are called `mcp__SERVER__TOOL`. */
const BUILT_IN = [
  "Agent",
  "Bash",
  "Edit",
  "Glob",
  "Grep",
  "LS",
  "MultiEdit",
  "NotebookEdit",
  "Read",
  "Skill",
  "Task",
  "TodoWrite",
  "WebFetch",
  "WebSearch",
  "Write",
];

export const configuration: AgentConfiguration = {
  takes: [
    "trust-builtin",
    "trust-list",
    "trust-ask",
    "steering",
    "prompt",
    "model",
    "hooks",
    "subagents",
    "mcp-command",
    "mcp-url",
    "mcp-trusted",
  ],
  keepsWorkspaceOut: true,
  compile,
  importable: { steering: [INSTRUCTIONS], mcp: [{ path: STATE, keys: ["mcpServers"] }] },
};

function compile(
  wanted: WantedConfiguration,
  { home, workspace }: ConfigurationContext,
): CompiledConfiguration {
  const { trust = "all", workspaceConfiguration: isOpen = false } = wanted.agent;
  const servers = `--mcp-config=${home}/${SERVERS}`;
  return {
    files: [
      ...describeInstructions(wanted, isOpen ? null : workspace),
      describeSettings(wanted),
      describeServers(wanted),
      ...describeSubagents(wanted),
    ],
    reads: [STATE],
    arguments: {
      without: trust === "all" ? [] : [TRUSTING],
      // SECURITY: rules of all sources add up, so the project's are not read; these options come before any file.
      with: [
        `--settings=${home}/${SETTINGS}`,
        servers,
        ...(isOpen ? [] : ["--setting-sources=user", "--strict-mcp-config"]),
      ],
    },
    fixed: trust === "all" ? [] : ["--permission-mode", "--allowedTools", "--allowed-tools"],
  };
}

/** With the project's settings its notes are left out too; those grant nothing, and are read all the same. */
function describeInstructions(
  wanted: WantedConfiguration,
  workspace: string | null,
): ConfigurationFile[] {
  const notes = workspace === null ? [] : [`@${workspace.replaceAll(" ", "\\ ")}/CLAUDE.md`];
  const block = [joinInstructions(wanted) ?? "", ...notes].filter((text) => text !== "");
  return block.length === 0 ? [] : [{ path: INSTRUCTIONS, block: block.join("\n\n") }];
}

function describeSettings({ agent, mcpServers }: WantedConfiguration): ConfigurationFile {
  const { trust = "all", model, hooks = {} } = agent;
  const described = Object.entries(hooks).map(([event, each]) => {
    const groups = each.map(({ command, matcher, timeout }) => ({
      ...(matcher === undefined ? {} : { matcher }),
      hooks: [
        {
          type: "command",
          command,
          ...(timeout === undefined ? {} : { timeout: Math.ceil(toMilliseconds(timeout) / 1000) }),
        },
      ],
    }));
    return [event, groups] as const;
  });
  const settings = {
    ...(trust === "all"
      ? {}
      : { permissions: { defaultMode: "default", allow: listAllowed(trust, mcpServers) } }),
    ...(model === undefined ? {} : { model }),
    ...(described.length === 0 ? {} : { hooks: Object.fromEntries(described) }),
  };
  return { path: SETTINGS, content: `${JSON.stringify(settings, null, 2)}\n` };
}

function listAllowed(
  trust: Exclude<Trust, "all">,
  servers: WantedConfiguration["mcpServers"],
): readonly string[] {
  const trusted = Object.entries(servers).flatMap(([server, { trusted: tools = [] }]) =>
    tools.map((tool) => `mcp__${server}__${tool}`),
  );
  if (trust === "ask") return trusted;
  return [...(trust === "builtin" ? BUILT_IN : trust), ...trusted];
}

/** `${VARIABLE}` is its own notation too. */
function describeServers({ mcpServers }: WantedConfiguration): ConfigurationFile {
  const described = Object.entries(mcpServers).map(
    ([name, server]) => [name, describeServer(server)] as const,
  );
  return {
    path: SERVERS,
    settings: { mcpServers: Object.fromEntries(described) },
    format: "json",
    whole: ["mcpServers"],
    base: readShared,
  };
}

function describeServer(server: TemplateMcpServer): Tree {
  if ("url" in server) {
    const { url, headers = {} } = server;
    return { type: "http", url, headers };
  }
  const { command, args = [], environment = {} } = server;
  return { type: "stdio", command, args, env: environment };
}

/** Those that setup added for every project. */
function readShared(home: HomeFiles): Tree {
  const shared = readTree(home.get(STATE))["mcpServers"];
  return { mcpServers: isTree(shared) ? shared : {} };
}

function describeSubagents({ agent: main }: WantedConfiguration): ConfigurationFile[] {
  const { subagents = {}, trust: usual = "all" } = main;
  return Object.entries(subagents).map(([name, { description = name, prompt, model, trust }]) => {
    if (typeof trust === "string" && trust !== usual) {
      throw settingUnavailable("Claude Code", `trust the subagent ${name} otherwise than itself`, {
        hint: "Leave its trust out, or list the tools that it may have.",
      });
    }
    const lines = [
      `name: ${name}`,
      `description: ${JSON.stringify(description)}`,
      ...(model === undefined ? [] : [`model: ${JSON.stringify(model)}`]),
      ...(Array.isArray(trust) ? [`tools: ${trust.join(", ")}`] : []),
    ];
    const content = ["---", ...lines, "---", "", prompt, ""].join("\n");
    return { path: `.claude/agents/${name}.md`, content };
  });
}
