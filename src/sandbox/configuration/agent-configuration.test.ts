import { expect, test } from "vitest";
import { copilot } from "../../agent/agents/copilot/copilot.ts";
import type { ResolvedTemplate } from "../../protocol/template.ts";
import { compileConfiguration, type SandboxConfiguration } from "./agent-configuration.ts";

/** Of a sandbox with these variables, made from a template that wants to be asked. */
function compile(environment: Record<string, string>): SandboxConfiguration | undefined {
  const template: Partial<ResolvedTemplate> = {
    name: "golden",
    title: "Golden",
    agents: { copilot: { trust: "ask" } },
    steering: [],
    files: [],
    mcpServers: {},
  };
  const specification = { template: template as ResolvedTemplate, workspace: null, layers: [] };
  return compileConfiguration(
    { id: "some-id", specification: { ...specification, environment } },
    copilot,
  );
}

test("no variable of a sandbox says otherwise than its template says to the agent", () => {
  const refused = expect.objectContaining({ code: "TEMPLATE_FIXED" });
  expect(() => compile({ COPILOT_ALLOW_ALL: "true" })).toThrow(refused);
  expect(compile({ COPILOT_MODEL: "m" })?.compiled.environment).toEqual({
    COPILOT_ALLOW_ALL: "false",
  });
});
