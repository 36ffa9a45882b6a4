import type { TemplateMcpServer } from "../../../protocol/template-file.ts";
import type {
  AgentConfiguration,
  CompiledConfiguration,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { instructionsFile } from "../../configuration/instructions.ts";
import { settingUnavailable } from "../../configuration/refusal.ts";
import type { Tree } from "../../configuration/tree.ts";
import { hasVariable, wholeVariable } from "../../configuration/variable-text.ts";

const TITLE = "Codex CLI";

const NO_TRUST =
  "Its rules name programs one by one and have none for all others, and its approvals stand on a sandbox of its own that does not work inside this one";

export const configuration: AgentConfiguration = {
  takes: ["steering", "prompt", "model", "mcp-command", "mcp-url"],
  reasons: {
    "trust-builtin": NO_TRUST,
    "trust-list": NO_TRUST,
    "trust-ask": NO_TRUST,
    "mcp-trusted": NO_TRUST,
  },
  // A project that is marked as not trusted loses its notes too.
  keepsWorkspaceOut: false,
  compile,
  importable: { steering: [".codex/AGENTS.md"] },
};

function compile(wanted: WantedConfiguration): CompiledConfiguration {
  const { model } = wanted.agent;
  const servers = Object.entries(wanted.mcpServers).map(
    ([name, server]) => [name, describeServer(server)] as const,
  );
  const settings: Tree = {
    ...(model === undefined ? {} : { model }),
    ...(servers.length === 0 ? {} : { mcp_servers: Object.fromEntries(servers) }),
  };
  return {
    files: [
      ...instructionsFile(".codex/AGENTS.md", wanted),
      { path: ".codex/config.toml", settings, format: "toml", whole: ["mcp_servers"] },
    ],
  };
}

function describeServer(server: TemplateMcpServer): Tree {
  if ("url" in server) return { url: server.url, ...describeHeaders(server.headers ?? {}) };
  const { command, args = [], environment = {} } = server;
  const entries = Object.entries(environment);
  const passed = entries.filter(([name, text]) => wholeVariable(text) === name);
  const said = entries.filter(([name, text]) => wholeVariable(text) !== name);
  const other = said.find(([, text]) => hasVariable(text));
  if (other !== undefined)
    throw refuse(`give ${other[0]} a value that is made of another variable`);
  return {
    command,
    args,
    ...(passed.length === 0 ? {} : { env_vars: passed.map(([name]) => name) }),
    ...(said.length === 0 ? {} : { env: Object.fromEntries(said) }),
  };
}

function describeHeaders(headers: Readonly<Record<string, string>>): Tree {
  const plain: Record<string, string> = {};
  const fromVariables: Record<string, string> = {};
  let token: string | undefined;
  for (const [name, text] of Object.entries(headers)) {
    const bearer = wholeVariable(text, "Bearer ");
    const variable = wholeVariable(text);
    if (name.toLowerCase() === "authorization" && bearer !== undefined) token = bearer;
    else if (variable !== undefined) fromVariables[name] = variable;
    else if (hasVariable(text))
      throw refuse(`send the header ${name} with a variable inside a text`);
    else plain[name] = text;
  }
  return {
    ...(token === undefined ? {} : { bearer_token_env_var: token }),
    ...(Object.keys(plain).length === 0 ? {} : { http_headers: plain }),
    ...(Object.keys(fromVariables).length === 0 ? {} : { env_http_headers: fromVariables }),
  };
}

function refuse(what: string): Error {
  const hint = "Write one whole `${VARIABLE}`, after `Bearer ` for the header Authorization.";
  return settingUnavailable(TITLE, what, { hint });
}
