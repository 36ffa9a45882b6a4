import { describe, expect, test } from "vitest";
import type { TemplateAgent } from "../../../protocol/template-file.ts";
import type {
  CompiledConfiguration,
  WantedConfiguration,
} from "../../configuration/configuration.ts";
import { KEYS } from "./agent-file.ts";
import { configuration } from "./configuration.ts";

const CONTEXT = {
  home: "/home/agent",
  workspace: "/work",
  version: "2.21.2",
  token: "0123456789abcdef",
};
const SERVERS: WantedConfiguration["mcpServers"] = {
  docs: { command: "docs", environment: { KEY: "${DOCS_KEY}" }, trusted: ["search"] },
  team: { url: "https://team.example/mcp", headers: { Authorization: "Bearer ${TEAM}" } },
};

function compile(agent: TemplateAgent, context: object = {}): CompiledConfiguration {
  const wanted = { name: "golden", title: "Golden", steering: [], mcpServers: SERVERS, agent };
  return configuration.compile(wanted, { ...CONTEXT, ...context });
}

function agentFile(compiled: CompiledConfiguration, name = "golden-0123456789abcdef"): object {
  const found = compiled.files.find(({ path }) => path === `.kiro/agents/${name}.json`);
  if (found !== undefined && "settings" in found) return found.settings;
  return JSON.parse(found !== undefined && "content" in found ? found.content : "null") as object;
}

describe("what a template says to Kiro", () => {
  test.each<[TemplateAgent["trust"], string[]]>([
    ["all", ["@builtin", "@docs", "@team"]],
    ["builtin", ["@builtin", "@docs/search"]],
    ["ask", ["@docs/search"]],
    [
      ["read", "shell", "@team"],
      ["read", "shell", "@team", "@docs/search"],
    ],
  ])("of trust %j runs without a question: %j", (trust, allowedTools) => {
    const compiled = compile(trust === undefined ? {} : { trust });
    expect(agentFile(compiled)).toMatchObject({ tools: ["*"], allowedTools });
    const isFree = trust === "all";
    expect(compiled.arguments).toEqual({
      without: isFree ? [] : ["--trust-all-tools"],
      with: ["--agent=golden-0123456789abcdef"],
    });
  });

  test("is never a key that Kiro refuses", () => {
    const compiled = compile({
      prompt: "p",
      model: "m",
      resources: ["file://x.md"],
      hooks: { stop: [{ command: "true", matcher: "x", timeout: "5s" }] },
      subagents: { reviewer: { prompt: "r", trust: "ask" } },
    });
    expect(agentFile(compiled)).toMatchObject({
      resources: ["file://x.md", "file:///home/agent/.kiro/steering/**/*.md"],
      hooks: { stop: [{ command: "true", matcher: "x", timeout_ms: 5000 }] },
      toolsSettings: { crew: { availableAgents: ["reviewer-0123456789abcdef"] } },
      includeMcpJson: false,
      mcpServers: { docs: { env: { KEY: "${DOCS_KEY}" } }, team: { type: "http" } },
    });
    for (const name of ["golden-0123456789abcdef", "reviewer-0123456789abcdef"]) {
      expect(Object.keys(agentFile(compiled, name)).filter((key) => !KEYS.has(key))).toEqual([]);
    }
  });

  test("has a name that no workspace can know, unless the workspace's may count", () => {
    expect(compile({})).toMatchObject({ guarded: ".kiro/agents" });
    const open = compile({ workspaceConfiguration: true });
    expect(open.guarded).toBeUndefined();
    expect(agentFile(open, "golden")).toMatchObject({ name: "golden", includeMcpJson: true });
  });

  test("is read by the engine that is named, and V3 has a form of its own", () => {
    expect(compile({}).interactive).toEqual([]);
    expect(compile({}, { version: "3.1.0" }).interactive).toEqual(["--v2"]);
    const v3 = configuration.compile(
      {
        name: "golden",
        title: "Golden",
        steering: [],
        mcpServers: {},
        agent: { trust: ["shell"], prompt: "Be kind." },
      },
      { ...CONTEXT, engine: "v3" },
    );
    expect(v3.arguments?.with).toEqual(["--agent=golden-0123456789abcdef-v3"]);
    const [markdown] = v3.files.filter(({ path }) => path.endsWith("-v3.md"));
    expect(markdown).toMatchObject({
      content: expect.stringMatching(
        /^---\nname: "golden-.*"rules":\[\{"capability":"shell","effect":"allow"\}\].*---\n\nBe kind\.\n$/s,
      ),
    });
  });

  test.each<[string, TemplateAgent, object]>([
    ["trusts `*`", { trust: ["*"] }, {}],
    ["has a hook of no event of Kiro's", { hooks: { never: [{ command: "true" }] } }, {}],
    ["asks 2.0.0, which then hangs", { trust: "ask" }, { version: "2.0.0" }],
    ["trusts one tool of a server under V3", { trust: "ask" }, { engine: "v3" }],
    ["has hooks under V3", { hooks: { stop: [{ command: "x" }] } }, { engine: "v3" }],
  ])("is refused when it %s", (_what, agent, context) => {
    expect(() => compile(agent, context)).toThrow(
      expect.objectContaining({ code: "AGENT_SETTING_UNAVAILABLE" }),
    );
  });
});
