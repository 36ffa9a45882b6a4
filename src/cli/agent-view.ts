import type { AgentSummary } from "../protocol/agent.ts";
import { renderTable } from "./output/table.ts";

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
    [
      "credentials",
      agent.credentials.map((name) => describeCredential(agent, name)).join(", ") || "none",
    ],
    ...describeOthers(agent),
    ["configuration", homePaths(locations.configuration)],
    ["sign-in", homePaths(locations.signIn)],
    ["conversations", homePaths(locations.conversations)],
    ["templates say", ["trust-all", ...(agent.takes ?? [])].join(", ")],
    ["other models", describeEndpoint(agent.modelEndpoint)],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`);
  const hosts = agent.hosts.map(({ host, port, reason }) => [`${host}:${port}`, reason]);
  const reached =
    hosts.length === 0 ? "Reaches nothing.\n" : renderTable(["REACHES", "FOR"], hosts);
  return `${lines.join("")}\n${reached}`;
}

/** With the secret that its sessions are given in the variable, if one is bound. */
function describeCredential({ bindings = {} }: AgentSummary, variable: string): string {
  const secret = bindings[variable];
  return secret === undefined ? variable : `${variable} (the secret ${secret})`;
}

/** Secrets in variables that it does not declare. */
function describeOthers({ credentials, bindings = {} }: AgentSummary): [string, string][] {
  const others = Object.entries(bindings).filter(([name]) => !credentials.includes(name));
  if (others.length === 0) return [];
  const told = others.map(([variable, secret]) => `${variable} (the secret ${secret})`);
  return [["also given", told.join(", ")]];
}

function homePaths(paths: readonly string[]): string {
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
