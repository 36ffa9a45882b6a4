import { readFileSync } from "node:fs";
import type { Hook } from "./hooks.ts";
import type { ServerConfig } from "./mcp.ts";
import type { Engine } from "./profile.ts";

export interface AgentFile {
  name?: string;
  prompt?: string;
  model?: string;
  tools?: string[];
  allowedTools?: string[];
  resources?: string[];
  hooks?: Record<string, Hook[]>;
  mcpServers?: Record<string, ServerConfig>;
  includeMcpJson?: boolean;
  /** V3's in place of `allowedTools`. */
  permissions?: { rules?: { capability: string; effect: string }[] };
}

/** V1 and V2 take no other key. */
const KEYS = [
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
  "useLegacyMcpJson",
  "model",
  "keyboardShortcut",
  "welcomeMessage",
  "permissions",
];

/** Undefined, with a warning, for a file that V1 and V2 refuse: an unknown key, or a bare `*` that trusts everything. */
export function readAgentFile(path: string, engine: Engine): AgentFile | undefined {
  let file: AgentFile;
  try {
    file = JSON.parse(readFileSync(path, "utf8")) as AgentFile;
  } catch (error) {
    return refuse(path, (error as Error).message);
  }
  if (engine === "v3") return withPermissions(file);
  const unknown = Object.keys(file).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return refuse(path, `unknown field \`${unknown}\``);
  if (file.allowedTools?.includes("*") === true) return refuse(path, "`*` in allowedTools");
  return file;
}

function refuse(path: string, why: string): undefined {
  process.stderr.write(`WARNING Agent config at ${path} is malformed: ${why}\n`);
}

/** V3's form. The stand-in reads front matter whose every line is a key and JSON, or plain text. */
export function parseMarkdownAgent(text: string): AgentFile | undefined {
  const [, matter, prompt = ""] = /^---\n(.*?)\n---\n(.*)$/s.exec(text) ?? [];
  if (matter === undefined) return undefined;
  const entries = matter.split("\n").map((line) => {
    const [, key = "", value = ""] = /^([^:]+):\s*(.*)$/.exec(line) ?? [];
    return [key, parseValue(value)] as const;
  });
  const said = prompt.trim();
  const file = { ...(Object.fromEntries(entries) as AgentFile), ...(said && { prompt: said }) };
  return withPermissions(file);
}

function withPermissions(file: AgentFile): AgentFile {
  const rules = file.permissions?.rules ?? [];
  const allowed = rules.filter(({ effect }) => effect === "allow").map((rule) => rule.capability);
  return { ...file, allowedTools: [...(file.allowedTools ?? []), ...allowed] };
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
