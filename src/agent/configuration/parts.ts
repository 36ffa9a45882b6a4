import type { AgentAdapter } from "../agent.ts";
import type {
  AgentConfiguration,
  ConfigurationPart,
  WantedConfiguration,
} from "./configuration.ts";
import { settingUnavailable } from "./refusal.ts";

const TAKES_NOTHING: Pick<AgentConfiguration, "takes" | "keepsWorkspaceOut" | "reasons"> = {
  takes: [],
  keepsWorkspaceOut: false,
};

/** How each part is called in a template. */
const NAMES: Readonly<Record<ConfigurationPart, string>> = {
  "trust-builtin": "trust: builtin",
  "trust-list": "a list of trusted tools",
  "trust-ask": "trust: ask",
  steering: "steering",
  prompt: "a prompt",
  model: "a model",
  resources: "resources",
  hooks: "hooks",
  subagents: "subagents",
  "mcp-command": "MCP servers with a command",
  "mcp-url": "MCP servers with a url",
  "mcp-trusted": "trusted tools of MCP servers",
};

/** What of all that can be said to an agent is said here. */
export function listParts({
  agent,
  steering,
  mcpServers,
}: WantedConfiguration): ConfigurationPart[] {
  const { trust = "all", prompt, model, hooks = {}, subagents = {} } = agent;
  const servers = Object.values(mcpServers);
  const said: Readonly<Record<ConfigurationPart, boolean>> = {
    "trust-builtin": trust === "builtin",
    "trust-list": Array.isArray(trust),
    "trust-ask": trust === "ask",
    steering: steering.length > 0,
    prompt: prompt !== undefined,
    model: model !== undefined,
    resources: [agent, ...Object.values(subagents)].some((each) => each.resources !== undefined),
    hooks: Object.keys(hooks).length > 0,
    subagents: Object.keys(subagents).length > 0,
    "mcp-command": servers.some((server) => "command" in server),
    "mcp-url": servers.some((server) => "url" in server),
    // Where everything is trusted, these are too.
    "mcp-trusted": trust !== "all" && servers.some(({ trusted = [] }) => trusted.length > 0),
  };
  return (Object.keys(said) as ConfigurationPart[]).filter((part) => said[part]);
}

/** Throws AGENT_SETTING_UNAVAILABLE, naming what of a template the agent has no way to be told. */
export function requireParts(agent: AgentAdapter, wanted: WantedConfiguration): void {
  const { takes, keepsWorkspaceOut, reasons = {} } = agent.configuration ?? TAKES_NOTHING;
  const missing = listParts(wanted).filter((part) => !takes.includes(part));
  if (missing.length > 0) {
    const what = missing.map((part) => NAMES[part]).join(", ");
    const why = [...new Set(missing.flatMap((part) => reasons[part] ?? []))];
    const told = [`be told what the template says: ${what}`, ...why].join(". ");
    throw settingUnavailable(agent.title, told, {
      hint: "Leave it out of the template, or use an agent that can: `cattlegrid agents show AGENT` lists it.",
    });
  }
  requirePin(agent, wanted);
  const { trust = "all", workspaceConfiguration = false } = wanted.agent;
  if (trust === "all" || workspaceConfiguration || keepsWorkspaceOut) return;
  const what = "keep the workspace's own configuration from widening its trust";
  throw settingUnavailable(agent.title, what, {
    hint: "Say `workspaceConfiguration: true` if that may be, or `trust: all`.",
  });
}

function requirePin({ install, title }: AgentAdapter, { agent: said }: WantedConfiguration): void {
  if (said.checksum !== undefined && install?.takesChecksum !== true) {
    throw settingUnavailable(title, "check what its installer fetches", {
      hint: "Leave `checksum` out; npm checks the packages of a version by itself.",
    });
  }
  const isPinnable = install?.version !== undefined || install?.takesVersion === true;
  if (said.version === undefined || isPinnable) return;
  const hint = "Leave `version` out of the template.";
  throw settingUnavailable(title, "be installed by version", { hint });
}
