import { describe, expect, test } from "vitest";
import type { AgentAdapter } from "../agent/agent.ts";
import type { Sandbox } from "../protocol/sandbox.ts";
import type { SessionCreate } from "../protocol/session.ts";
import { checkLoginPlace, checkRequest } from "./session-request.ts";

const TYPIST = {
  id: "typist",
  title: "Typist",
  command: ["typist"],
  credentials: ["TYPIST_KEY"],
} as unknown as AgentAdapter;

const LOGIN: SessionCreate = { kind: "interactive", login: { profile: "default" } };
const UNTOUCHED = { ephemeral: true, workspace: null, sessions: [] } as unknown as Sandbox;

describe("what a session may be asked for", () => {
  test("a plain one is begun", () => {
    expect(() => checkRequest(TYPIST, { kind: "interactive" })).not.toThrow();
  });

  test.each<[string, SessionCreate, string]>([
    [
      "a credential in what may be shown",
      { kind: "interactive", environment: { TYPIST_KEY: "x" } },
      "ENVIRONMENT_INVALID",
    ],
    ["prompts, of an agent that takes none", { kind: "turns" }, "AGENT_COMMAND_INVALID"],
    [
      "a model, of an agent without a choice",
      { kind: "interactive", turnOptions: { model: "m" } },
      "AGENT_OPTION_UNAVAILABLE",
    ],
    [
      "a sign-in by a directory that it does not know",
      { kind: "interactive", identityDirectory: { startUrl: "https://d.example", region: "eu" } },
      "AGENT_OPTION_UNAVAILABLE",
    ],
  ])("not for %s", (_, request, code) => {
    expect(() => checkRequest(TYPIST, request)).toThrow(expect.objectContaining({ code }));
  });

  test("a login for every sandbox is made where no agent was at work", () => {
    expect(() => checkLoginPlace(LOGIN, UNTOUCHED)).not.toThrow();
    expect(() =>
      checkLoginPlace({ kind: "interactive" }, { ...UNTOUCHED, ephemeral: false }),
    ).not.toThrow();
    const refused = expect.objectContaining({ code: "REQUEST_INVALID" });
    const sessions = [{}] as unknown as Sandbox["sessions"];
    expect(() => checkLoginPlace(LOGIN, { ...UNTOUCHED, sessions })).toThrow(refused);
    expect(() => checkLoginPlace(LOGIN, { ...UNTOUCHED, ephemeral: false })).toThrow(refused);
  });
});
