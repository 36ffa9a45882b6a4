import { expect, test } from "vitest";
import { compilePolicy } from "../../egress/policy/compile-policy.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import type { TemplateMcpServer } from "../../protocol/template-file.ts";
import { checkServers } from "./server-checks.ts";

const URL = "https://tools.example/mcp";

function check(server: TemplateMcpServer, allow: readonly string[] = ["tools.example"]): void {
  const template = {
    mcpServers: { team: server },
    bindings: { TEAM: "team-key" },
    environment: {},
  };
  checkServers(template as Partial<ResolvedTemplate> as ResolvedTemplate, {
    credentials: ["AGENT_KEY"],
    policy: () => compilePolicy({ preset: "locked", agentHosts: [], allow, deny: [] }),
  });
}

test.each<[string, TemplateMcpServer]>([
  ["a program inside", { command: "team-server" }],
  ["a host that the policy allows", { url: URL }],
  ["a secret by its variable", { url: URL, headers: { Authorization: "Bearer ${TEAM}" } }],
  ["a credential of the agent", { url: URL, headers: { "X-Key": "${AGENT_KEY}" } }],
  ["a header that is no secret", { url: URL, headers: { "X-Team": "blue" } }],
])("a server may be %s", (_what, server) => {
  expect(() => check(server)).not.toThrow();
});

test.each<[string, TemplateMcpServer, string]>([
  ["a host that no rule allows", { url: "https://other.example/mcp" }, "MCP_HOST_DENIED"],
  ["another port of one", { url: "https://tools.example:8443/mcp" }, "MCP_HOST_DENIED"],
  [
    "a host in plain where only TLS is allowed",
    { url: "http://tools.example/" },
    "MCP_HOST_DENIED",
  ],
  ["no address of a server", { url: "file:///etc/passwd" }, "TEMPLATE_INVALID"],
  [
    "a secret in the text",
    { url: URL, headers: { Authorization: "Bearer abcdef" } },
    "TEMPLATE_INVALID",
  ],
  ["a variable of nobody", { url: URL, headers: { "X-Key": "${OTHER}" } }, "TEMPLATE_INVALID"],
])("a server may not be %s", (_what, server, code) => {
  expect(() => check(server)).toThrow(expect.objectContaining({ code }));
});

test("what is said of a secret in the text does not repeat it", () => {
  const server = { url: URL, headers: { "X-Api-Key": "canary-4711" } };
  expect(() => check(server)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining("canary-4711") }),
  );
});
