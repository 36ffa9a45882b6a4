import { describe, expect, test } from "vitest";
import type { CompiledConfiguration } from "../../configuration/configuration.ts";
import type { TemplateAgent } from "../../../protocol/template-file.ts";
import { configuration } from "./configuration.ts";

const CONTEXT = { home: "/home/agent", workspace: "/work", token: "0123456789abcdef" };

function compile(agent: TemplateAgent): CompiledConfiguration {
  const mcpServers = { docs: { command: "docs", trusted: ["search"] } };
  const wanted = { name: "golden", title: "Golden", steering: [], agent, mcpServers };
  return configuration.compile(wanted, CONTEXT);
}

describe("what a template says to Copilot CLI of trust", () => {
  test.each<[NonNullable<TemplateAgent["trust"]>, readonly string[]]>([
    ["ask", []],
    ["builtin", ["shell", "write", "url"]],
    [["shell(git:*)"], ["shell(git:*)"]],
  ])("%j is a list of what runs without a question", (trust, tools) => {
    const compiled = compile({ trust });
    const words = [...tools, "docs(search)"].map((tool) => `--allow-tool=${tool}`);
    expect(compiled.arguments).toEqual({ without: ["--allow-all-tools"], with: words });
    expect(compiled.environment).toEqual({ COPILOT_ALLOW_ALL: "false" });
  });

  test("holds at a terminal only where the workspace may count", () => {
    expect(compile({ trust: "ask" }).turnsOnly).toContain("at a terminal");
    expect(compile({ trust: "ask", workspaceConfiguration: true }).turnsOnly).toBeUndefined();
    expect(compile({}).turnsOnly).toBeUndefined();
  });
});
