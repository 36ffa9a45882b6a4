import { CattlegridError } from "../../errors/error.ts";
import type { AgentSummary } from "../../protocol/agent.ts";
import { JSON_FLAG } from "../creation-flags.ts";
import { renderTable } from "../table.ts";
import { defineVerb } from "../verb.ts";

export const AGENTS = defineVerb({
  verb: "agents",
  usage: "[ls] [--json] | show AGENT [--json]",
  description:
    "Lists the agents, or shows one: its command, the hosts it may reach and why, the variables that are\n" +
    "its credentials, where it keeps its files, and how it is sent to another model.",
  example: "cattlegrid agents ls --json",
  operands: { min: 0, max: 2, names: "ls, or show AGENT", suggest: [["ls", "show"], "agent"] },
  trailing: "none",
  flags: JSON_FLAG,
  async run({ flags, operands: [action = "ls", id] }, { api, caller }) {
    const { agents } = await api.get<{ agents: readonly AgentSummary[] }>("/v1/agents");
    const { output } = caller;
    if (action === "ls" && id === undefined) {
      output.write(
        flags.json ? `${JSON.stringify({ agents }, undefined, 2)}\n` : renderAgents(agents),
      );
      return 0;
    }
    if (action !== "show" || id === undefined) {
      throw new CattlegridError("USAGE", "`agents` is used as `agents ls` or `agents show AGENT`.");
    }
    const agent = agents.find((each) => each.id === id);
    if (agent === undefined) {
      throw new CattlegridError("AGENT_UNKNOWN", `There is no agent ${id}.`, {
        hint: `There are ${agents.map((each) => each.id).join(", ")}.`,
      });
    }
    output.write(flags.json ? `${JSON.stringify(agent, undefined, 2)}\n` : renderAgent(agent));
    return 0;
  },
});

export function renderAgents(agents: readonly AgentSummary[]): string {
  const rows = agents.map(({ id, title, version, takesPrompts }) => [
    id,
    title,
    version ?? "-",
    takesPrompts ? "run, chat" : "run",
  ]);
  return renderTable(["AGENT", "TITLE", "VERSION", "FOR"], rows);
}

export function renderAgent(agent: AgentSummary): string {
  const { locations } = agent;
  const facts: [string, string][] = [
    ["agent", `${agent.id}, ${agent.title}`],
    ["version", agent.version ?? "the newest"],
    ["command", agent.command.join(" ")],
    ["credentials", agent.credentials.join(", ") || "none"],
    ["configuration", list(locations.configuration)],
    ["sign-in", list(locations.signIn)],
    ["conversations", list(locations.conversations)],
    ["other models", describeEndpoint(agent.modelEndpoint)],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`);
  const hosts = agent.hosts.map(({ host, port, reason }) => [`${host}:${port}`, reason]);
  const reached =
    hosts.length === 0 ? "Reaches nothing.\n" : renderTable(["REACHES", "FOR"], hosts);
  return `${lines.join("")}\n${reached}`;
}

function list(paths: readonly string[]): string {
  return paths.map((path) => `~/${path}`).join(", ") || "none";
}

function describeEndpoint({
  kind,
  variable,
  where,
  protocol,
}: AgentSummary["modelEndpoint"]): string {
  if (kind === "none") return "none";
  return `${kind === "env" ? `-e ${variable}=ADDRESS` : where} (${protocol})`;
}
