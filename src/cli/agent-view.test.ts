import { expect, test } from "vitest";
import type { AgentSummary } from "../protocol/agent.ts";
import { renderAgent, renderAgents } from "./agent-view.ts";

const agent: AgentSummary = {
  id: "tool",
  title: "Tool (Maker)",
  command: ["tool", "--yes"],
  standaloneWords: [],
  credentials: ["TOOL_KEY"],
  takesPrompts: true,
  version: "1.2.3",
  hosts: [{ host: "api.tool.example", port: 443, reason: "the model's answers" }],
  locations: { configuration: [".tool"], signIn: [".tool/auth.json"], conversations: [] },
  modelEndpoint: { kind: "env", variable: "TOOL_URL", protocol: "openai-chat" },
};

test("agents are listed with what they are for", () => {
  expect(renderAgents([agent])).toBe(
    "AGENT  TITLE         VERSION  FOR\ntool   Tool (Maker)  1.2.3    run, chat\n",
  );
});

test("one agent is shown with the hosts it reaches, and why", () => {
  expect(renderAgent(agent).split("\n")).toEqual([
    "agent          tool, Tool (Maker)",
    "version        1.2.3",
    "command        tool --yes",
    "credentials    TOOL_KEY",
    "configuration  ~/.tool",
    "sign-in        ~/.tool/auth.json",
    "conversations  none",
    "templates say  trust-all",
    "other models   -e TOOL_URL=ADDRESS (openai-chat)",
    "",
    "REACHES               FOR",
    "api.tool.example:443  the model's answers",
    "",
  ]);
});
