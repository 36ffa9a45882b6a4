import { describe, expect, test } from "vitest";
import type { TemplateAgent } from "../../../protocol/template-file.ts";
import type { CompiledConfiguration } from "../../configuration/configuration.ts";
import { configuration } from "./configuration.ts";

const CONTEXT = { home: "/home/agent", workspace: "/work", token: "0123456789abcdef" };

function compile(agent: TemplateAgent): CompiledConfiguration {
  const mcpServers = { docs: { command: "docs", trusted: ["search"] } };
  const steering = [{ name: "product.md", content: "Fieldgate.\n" }];
  return configuration.compile(
    { name: "golden", title: "Golden", steering, mcpServers, agent },
    CONTEXT,
  );
}

function contentOf({ files }: CompiledConfiguration, path: string): string {
  const found = files.find((file) => file.path === path);
  if (found === undefined) return "";
  if ("block" in found) return found.block;
  return "content" in found ? found.content : JSON.stringify(found.settings);
}

const SETTINGS = ".claude/template-settings.json";

describe("what a template says to Claude Code", () => {
  test.each<[Exclude<TemplateAgent["trust"], "all" | undefined>, readonly string[]]>([
    ["ask", ["mcp__docs__search"]],
    [
      ["Bash", "Edit"],
      ["Bash", "Edit", "mcp__docs__search"],
    ],
  ])("of trust %j is a list of what runs without a question", (trust, allow) => {
    const compiled = compile({ trust });
    expect(JSON.parse(contentOf(compiled, SETTINGS))).toEqual({
      permissions: { defaultMode: "default", allow },
    });
    expect(compiled.arguments).toEqual({
      without: ["--dangerously-skip-permissions"],
      with: [
        "--settings=/home/agent/.claude/template-settings.json",
        "--mcp-config=/home/agent/.claude/template-servers.json",
        "--setting-sources=user",
        "--strict-mcp-config",
      ],
    });
  });

  test("that trusts everything asks nothing, and still leaves the workspace's settings out", () => {
    const { arguments: change } = compile({});
    expect(change?.without).toEqual([]);
    expect(change?.with).toContain("--setting-sources=user");
    expect(compile({ workspaceConfiguration: true }).arguments?.with).toHaveLength(2);
  });

  test("is in files of its own, in its own notation", () => {
    const compiled = compile({
      prompt: "Be kind.",
      hooks: { PreToolUse: [{ command: "check", matcher: "Bash", timeout: "1500ms" }] },
      subagents: { reviewer: { prompt: "Find faults.", description: "Reviews", trust: ["Read"] } },
    });
    expect(contentOf(compiled, ".claude/CLAUDE.md")).toBe(
      "Be kind.\n\nFieldgate.\n\n@/work/CLAUDE.md",
    );
    expect(JSON.parse(contentOf(compiled, SETTINGS))).toEqual({
      hooks: {
        PreToolUse: [
          { matcher: "Bash", hooks: [{ type: "command", command: "check", timeout: 2 }] },
        ],
      },
    });
    expect(contentOf(compiled, ".claude/agents/reviewer.md")).toBe(
      '---\nname: reviewer\ndescription: "Reviews"\ntools: Read\n---\n\nFind faults.\n',
    );
    expect(JSON.parse(contentOf(compiled, ".claude/template-servers.json"))).toEqual({
      mcpServers: { docs: { type: "stdio", command: "docs", args: [], env: {} } },
    });
  });
});
