import { describe, expect, test } from "vitest";
import type { CompiledConfiguration } from "../../configuration/configuration.ts";
import type { TemplateAgent } from "../../../protocol/template-file.ts";
import { configuration } from "./configuration.ts";

const CONTEXT = { home: "/home/agent", workspace: "/work", token: "0123456789abcdef" };
const SERVERS = { docs: { command: "docs", trusted: ["search"] } };

function compile(agent: TemplateAgent, mcpServers = {}): CompiledConfiguration {
  const wanted = { name: "golden", title: "Golden", steering: [], agent, mcpServers };
  return configuration.compile(wanted, CONTEXT);
}

describe("what a template says to Qwen Code of trust", () => {
  test("is options, in a folder that is not trusted, over what its settings may hold", () => {
    const compiled = compile({ trust: ["edit", "web_fetch"] });
    expect(compiled.arguments).toEqual({
      without: ["--yolo"],
      with: ["--allowed-tools=edit", "--allowed-tools=web_fetch", "--approval-mode=default"],
    });
    expect(compiled.files).toMatchObject([
      {
        path: ".qwen/settings.json",
        settings: {
          security: { folderTrust: { enabled: true } },
          permissions: { allow: [] },
          tools: { allowed: [], core: [], approvalMode: "default" },
        },
      },
      { path: ".qwen/trustedFolders.json", content: '{ "/": "DO_NOT_TRUST" }\n' },
    ]);
  });

  test.each(["Bash(git *)", "a,b", ""])("is refused for a part of a tool: %j", (name) => {
    const refused = expect.objectContaining({ code: "AGENT_SETTING_UNAVAILABLE" });
    expect(() => compile({ trust: [name] })).toThrow(refused);
  });

  test("names servers' trusted tools where the workspace may count", () => {
    const compiled = compile({ trust: "ask", workspaceConfiguration: true }, SERVERS);
    expect(compiled.arguments?.with).toContain("--allowed-tools=mcp__docs__search");
    expect(compiled.files).toMatchObject([
      { settings: { mcpServers: { docs: { trust: false } } } },
    ]);
    expect(() => compile({ trust: "ask" }, SERVERS)).toThrow("start MCP servers");
  });
});
