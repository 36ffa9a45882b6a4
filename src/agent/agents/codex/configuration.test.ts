import { describe, expect, test } from "vitest";
import type { WantedConfiguration } from "../../configuration/configuration.ts";
import { configuration } from "./configuration.ts";

const CONTEXT = { home: "/home/agent", workspace: "/work", token: "0123456789abcdef" };
const NOTHING = { name: "golden", title: "Golden", steering: [], mcpServers: {}, agent: {} };

function compile(said: Partial<WantedConfiguration>): unknown {
  return configuration.compile({ ...NOTHING, ...said }, CONTEXT);
}

describe("what a template says to Codex", () => {
  test("is in its settings, by its own names", () => {
    const mcpServers = {
      docs: {
        command: "docs",
        args: ["-v"],
        environment: { DOCS_KEY: "${DOCS_KEY}", MODE: "fast" },
      },
      team: {
        url: "https://team.example/mcp",
        headers: { Authorization: "Bearer ${TEAM}", "X-Key": "${KEY}", "X-Team": "blue" },
      },
    };
    expect(compile({ mcpServers, agent: { model: "m", prompt: "Be kind." } })).toEqual({
      files: [
        { path: ".codex/AGENTS.md", block: "Be kind." },
        {
          path: ".codex/config.toml",
          format: "toml",
          whole: ["mcp_servers"],
          settings: {
            model: "m",
            mcp_servers: {
              docs: {
                command: "docs",
                args: ["-v"],
                env_vars: ["DOCS_KEY"],
                env: { MODE: "fast" },
              },
              team: {
                url: "https://team.example/mcp",
                bearer_token_env_var: "TEAM",
                http_headers: { "X-Team": "blue" },
                env_http_headers: { "X-Key": "KEY" },
              },
            },
          },
        },
      ],
    });
  });

  test.each([
    { docs: { command: "docs", environment: { KEY: "a-${OTHER}" } } },
    { team: { url: "https://team.example", headers: { "X-Key": "Key ${KEY}" } } },
  ])("that its notation has no place for is refused: %j", (mcpServers) => {
    expect(() => compile({ mcpServers })).toThrow(
      expect.objectContaining({ code: "AGENT_SETTING_UNAVAILABLE" }),
    );
  });
});
