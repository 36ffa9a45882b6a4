import type { TemplateAgent, TemplateMcpServer, Trust } from "../../../protocol/template-file.ts";
import type { WantedConfiguration } from "../../configuration/configuration.ts";
import { toMilliseconds } from "../../configuration/duration.ts";
import { settingUnavailable } from "../../configuration/refusal.ts";
import type { Tree } from "../../configuration/tree.ts";

/** V1 and V2 refuse an agent's file that has any other key. */
export const KEYS: ReadonlySet<string> = new Set([
  "$schema",
  "name",
  "description",
  "prompt",
  "mcpServers",
  "tools",
  "allowedTools",
  "toolAliases",
  "toolsSettings",
  "resources",
  "hooks",
  "includeMcpJson",
  "model",
  "keyboardShortcut",
  "welcomeMessage",
  "permissions",
]);

/** What Kiro's own agent reads. A custom one reads nothing by itself. */
const RESOURCES = [
  "file://AGENTS.md",
  "file://README.md",
  "file://AmazonQ.md",
  "file://.kiro/steering/**/*.md",
  "skill://.kiro/skills/*/SKILL.md",
];
const EVENTS = ["agentSpawn", "userPromptSubmit", "preToolUse", "postToolUse", "stop"];
const TITLE = "Kiro CLI";

type McpServers = WantedConfiguration["mcpServers"];

export interface AgentFileParts {
  name: string;
  description: string;
  /** The home directory inside. */
  home: string;
  agent: Omit<TemplateAgent, "version" | "checksum">;
  mcpServers: McpServers;
  /** Names of agents that it may hand work to. */
  subagents: readonly string[];
}

/** An agent for V1 and V2. */
export function describeAgent(parts: AgentFileParts): Tree {
  const { name, description, home, agent, mcpServers, subagents } = parts;
  const { trust = "all", model, prompt, hooks = {} } = agent;
  const isFree = trust === "all" || trust === "builtin";
  const crew = { availableAgents: subagents, trustedAgents: isFree ? subagents : [] };
  return {
    name,
    description,
    ...(prompt === undefined ? {} : { prompt }),
    ...(model === undefined ? {} : { model }),
    // What it can see; what of that needs no question is another list, and `*` is not taken there.
    tools: ["*"],
    allowedTools: allowedTools(trust, mcpServers),
    resources: listResources(agent, home),
    includeMcpJson: agent.workspaceConfiguration === true,
    mcpServers: Object.fromEntries(
      Object.entries(mcpServers).map(([server, each]) => [server, describeServer(each)]),
    ),
    ...(Object.keys(hooks).length === 0 ? {} : { hooks: describeHooks(hooks) }),
    ...(subagents.length === 0 ? {} : { toolsSettings: { crew } }),
  };
}

/** What it reads at its start: what the template says, and in any case the steering that came with the template. */
export function listResources({ resources }: AgentFileParts["agent"], home: string): string[] {
  return [...(resources ?? RESOURCES), `file://${home}/.kiro/steering/**/*.md`];
}

/** What runs without a question. */
export function allowedTools(trust: Trust, mcpServers: McpServers): string[] {
  const names = Object.keys(mcpServers);
  const trusted = Object.entries(mcpServers).flatMap(([server, { trusted: tools = [] }]) =>
    tools.map((tool) => `@${server}/${tool}`),
  );
  if (trust === "all") return ["@builtin", ...names.map((name) => `@${name}`)];
  if (trust === "builtin") return ["@builtin", ...trusted];
  if (trust === "ask") return trusted;
  for (const tool of trust) checkTool(tool);
  return [...new Set([...trust, ...trusted])];
}

function checkTool(tool: string): void {
  if (/^(@[A-Za-z0-9_*?-]+(\/[A-Za-z0-9_*?.-]+)?|[A-Za-z_?][A-Za-z0-9_*?-]*)$/.test(tool)) return;
  throw settingUnavailable(TITLE, `take ${JSON.stringify(tool)} for a tool to trust`, {
    hint: "Write read, shell, @server or @server/tool; `trust: all` trusts every tool.",
  });
}

/** `${VARIABLE}` in a value is Kiro's own notation too. */
export function describeServer(server: TemplateMcpServer): Tree {
  if ("url" in server) {
    const { url, headers } = server;
    return { type: "http", url, ...(headers === undefined ? {} : { headers }) };
  }
  const { command, args, environment } = server;
  return {
    command,
    ...(args === undefined ? {} : { args }),
    ...(environment === undefined ? {} : { env: environment }),
  };
}

function describeHooks(hooks: NonNullable<TemplateAgent["hooks"]>): Tree {
  return Object.fromEntries(
    Object.entries(hooks).map(([event, each]) => {
      if (!EVENTS.includes(event)) {
        throw settingUnavailable(TITLE, `run hooks at ${JSON.stringify(event)}`, {
          hint: `It knows ${EVENTS.join(", ")}.`,
        });
      }
      const described = each.map(({ command, matcher, timeout }) => ({
        command,
        ...(matcher === undefined ? {} : { matcher }),
        ...(timeout === undefined ? {} : { timeout_ms: toMilliseconds(timeout) }),
      }));
      return [event, described];
    }),
  );
}
