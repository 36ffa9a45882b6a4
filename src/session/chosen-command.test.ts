import { describe, expect, test } from "vitest";
import { kiro } from "../agent/agents/kiro/kiro.ts";
import type { CompiledConfiguration } from "../agent/configuration/configuration.ts";
import type { ResolvedCommand } from "../protocol/argument-rule.ts";
import type { SessionCreate } from "../protocol/session.ts";
import { chooseCommand } from "./chosen-command.ts";

const ASKING: CompiledConfiguration = {
  files: [],
  arguments: { without: ["--trust-all-tools"], with: ["--agent=golden-1"] },
  fixed: ["-a"],
  interactive: ["--v2"],
};
const argvOf = (given: readonly string[], configured?: CompiledConfiguration): readonly string[] =>
  choose({ arguments: [...given] }, configured).argv;
function choose(
  asked: Partial<SessionCreate>,
  configured: CompiledConfiguration | undefined,
): ResolvedCommand {
  return chooseCommand(kiro, { kind: "interactive", argumentRule: "auto", ...asked }, configured);
}

describe("what a session under a template runs", () => {
  test("is the agent's own command without a template", () => {
    expect(argvOf([])).toEqual(["kiro-cli", "chat", "--trust-all-tools"]);
  });

  test("is that command as the template changes it, and options that it leaves open", () => {
    const own = ["kiro-cli", "chat", "--agent=golden-1", "--v2"];
    expect(argvOf([], ASKING)).toEqual(own);
    expect(argvOf(["--resume"], ASKING)).toEqual([...own, "--resume"]);
    expect(argvOf(["whoami"], ASKING)).toEqual(["kiro-cli", "whoami"]);
  });

  test("is no wider where an editor is served", () => {
    const { argv } = choose({ arguments: [...kiro.acp!], argumentRule: "replace" }, ASKING);
    expect(argv).toEqual(["kiro-cli", "acp", "--agent-engine", "v2", "--agent=golden-1"]);
  });

  test.each([["--trust-all-tools"], ["-a"], ["--agent", "x"], ["--agent=x"], ["chat", "-a"]])(
    "is refused with %s",
    (...given) => {
      expect(() => argvOf(given, ASKING)).toThrow(
        expect.objectContaining({ code: "TEMPLATE_FIXED" }),
      );
    },
  );

  test("is refused with another value of a variable that the template sets", () => {
    const configured = { ...ASKING, environment: { TRUST: "none" } };
    expect(() => choose({ environment: { TRUST: "all" } }, configured)).toThrow(
      expect.objectContaining({ code: "TEMPLATE_FIXED" }),
    );
    expect(choose({ environment: { TRUST: "none", MORE: "1" } }, configured).argv).toHaveLength(4);
  });

  test("is refused at a terminal to an agent that is held in turns only", () => {
    const configured = { ...ASKING, turnsOnly: "be held at a terminal" };
    const refused = expect.objectContaining({ code: "AGENT_SETTING_UNAVAILABLE" });
    expect(() => choose({}, configured)).toThrow(refused);
    expect(() => choose({ arguments: [...kiro.acp!] }, configured)).toThrow(refused);
    expect(choose({ kind: "turns" }, configured).argv).toHaveLength(4);
    expect(choose({ arguments: ["whoami"] }, configured).argv).toEqual(["kiro-cli", "whoami"]);
  });
});
