import type { CattlegridError } from "../../../errors/error.ts";
import { settingUnavailable } from "../../configuration/refusal.ts";
import type { Tree, TreeValue } from "../../configuration/tree.ts";
import { type AgentFileParts, describeServer, listResources } from "./agent-file.ts";

/** What V3 lets a rule speak of. */
const CAPABILITIES = ["read", "write", "shell", "web"];

/** An agent for V3: Markdown, with front matter. Refuses what V3 has no place for that is on record. */
export function describeMarkdownAgent(parts: AgentFileParts): string {
  const { name, description, home, agent, mcpServers } = parts;
  const servers = Object.entries(mcpServers).map(([server, each]) => [
    server,
    describeServer(each),
  ]);
  const matter: Record<string, TreeValue | undefined> = {
    name,
    description,
    model: agent.model,
    tools: CAPABILITIES,
    permissions: {
      rules: listAllowed(parts).map((capability) => ({ capability, effect: "allow" })),
    },
    resources: listResources(agent, home),
    mcpServers: servers.length === 0 ? undefined : (Object.fromEntries(servers) as Tree),
  };
  // JSON is YAML.
  const lines = Object.entries(matter)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return ["---", ...lines, "---", "", ...(agent.prompt ? [agent.prompt, ""] : [])].join("\n");
}

function listAllowed({ agent, mcpServers, subagents }: AgentFileParts): readonly string[] {
  const { trust = "all", hooks = {} } = agent;
  if (Object.keys(hooks).length > 0) throw refused("run hooks");
  if (subagents.length > 0) throw refused("be given subagents");
  if (trust === "all") return CAPABILITIES;
  const isSorted = Object.values(mcpServers).some(({ trusted = [] }) => trusted.length > 0);
  if (isSorted) throw refused("trust single tools of an MCP server");
  if (trust === "builtin") return CAPABILITIES;
  const capabilities = trust === "ask" ? [] : trust;
  const unknown = capabilities.find((each) => !CAPABILITIES.includes(each));
  if (unknown !== undefined) throw refused(`trust ${JSON.stringify(unknown)} by itself`);
  return capabilities;
}

function refused(what: string): CattlegridError {
  const hint = "Say it for the engine v2, or leave it out of the template.";
  return settingUnavailable("Kiro CLI", `${what} with its engine v3`, { hint });
}
