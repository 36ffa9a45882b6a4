import { parse as parseToml } from "smol-toml";
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

/** What is decided of a tool, by the rule of the highest priority that names it. */
function decide({ files }: CompiledConfiguration, tool: string, server?: string): unknown {
  const file = files.find(({ path }) => path === ".gemini/template-policy.toml");
  const { rule } = parseToml(file && "content" in file ? file.content : "") as {
    rule: { toolName: string | string[]; mcpName?: string; priority: number; decision: string }[];
  };
  const names = new Set([tool, "*", ...(server === undefined ? [] : ["mcp_*"])]);
  const matching = rule.filter(
    ({ toolName, mcpName }) =>
      [toolName].flat().some((name) => names.has(name)) &&
      (mcpName === undefined || mcpName === server),
  );
  return matching.toSorted((left, right) => right.priority - left.priority)[0]?.decision;
}

describe("what a template says to Gemini CLI of trust", () => {
  test.each<[NonNullable<TemplateAgent["trust"]>, Record<string, string>]>([
    ["ask", { read_file: "allow", write_file: "ask_user", run_shell_command: "ask_user" }],
    ["builtin", { read_file: "allow", write_file: "allow", run_shell_command: "allow" }],
    [["write_file"], { write_file: "allow", run_shell_command: "ask_user", newest: "ask_user" }],
  ])("%j is rules of an administrator", (trust, decisions) => {
    const compiled = compile({ trust });
    const decided = Object.keys(decisions).map((tool) => [tool, decide(compiled, tool)]);
    expect(Object.fromEntries(decided)).toEqual(decisions);
    expect(compiled).toMatchObject({
      arguments: { without: ["--yolo", "--skip-trust"] },
      environment: { GEMINI_CLI_TRUST_WORKSPACE: "false" },
    });
    expect(compiled.arguments?.with.at(-1)).toBe("--approval-mode=default");
  });

  test("asks about servers' tools unless they are trusted", () => {
    const compiled = compile({ trust: "builtin", workspaceConfiguration: true }, SERVERS);
    expect(decide(compiled, "search", "docs")).toBe("allow");
    expect(decide(compiled, "write", "docs")).toBe("ask_user");
    expect(decide(compiled, "search", "other")).toBe("ask_user");
    expect(compiled.environment).toEqual({ GEMINI_CLI_TRUST_WORKSPACE: "true" });
  });

  test("has no servers where the workspace may say nothing", () => {
    expect(() => compile({ trust: "ask" }, SERVERS)).toThrow(
      expect.objectContaining({ code: "AGENT_SETTING_UNAVAILABLE" }),
    );
    expect(compile({}, SERVERS)).toMatchObject({ fixed: [], arguments: { without: [] } });
  });
});
