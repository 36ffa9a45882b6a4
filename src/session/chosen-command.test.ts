import { describe, expect, test } from "vitest";
import { kiro } from "../agent/agents/kiro/kiro.ts";
import type { CompiledConfiguration } from "../agent/configuration/configuration.ts";
import { chooseCommand } from "./chosen-command.ts";

const ASKING: CompiledConfiguration = {
  files: [],
  arguments: { without: ["--trust-all-tools"], with: ["--agent=golden-1"] },
  fixed: ["-a"],
  interactive: ["--v2"],
};
const argvOf = (given: readonly string[], configured?: CompiledConfiguration): readonly string[] =>
  chooseCommand(kiro, { arguments: [...given], argumentRule: "auto" }, configured).argv;

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
    const { argv } = chooseCommand(
      kiro,
      { arguments: [...kiro.acp!], argumentRule: "replace" },
      ASKING,
    );
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
});
