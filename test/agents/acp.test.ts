import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLine } from "../support/command-line.ts";
import { edit, spoken } from "../support/editor.ts";
import { allOf, program } from "../support/requirement.ts";
import { REGISTRY_IN_REACH } from "./registry.ts";
import { openWorld, type World } from "./world.ts";

const NEEDS = allOf(program("crun"), program("node"), program("npm"), REGISTRY_IN_REACH);

let line: CommandLine;
let world: World;
beforeAll(async () => {
  line = new CommandLine();
  world = await openWorld(line.directory);
});
afterAll(async () => {
  await line.close();
  await world[Symbol.asyncDispose]();
});

describe.skipIf(!NEEDS.met)(NEEDS.title("an editor"), () => {
  test("works with an agent in its sandbox, which uses the files and commands inside only", async () => {
    const model = JSON.stringify({ model: "anthropic/claude-sonnet-4-5" });
    const chosen = ["-e", "ANTHROPIC_API_KEY", "-e", `OPENCODE_CONFIG_CONTENT=${model}`];
    const argv = ["acp", "opencode", ...chosen];
    const environment = { ...world.environment, ANTHROPIC_API_KEY: "key-of-an-editor" };
    const child = line.spawn(argv, { environment });
    const record = await edit(child, async (editor) => {
      const { agentInfo } = await editor.greet();
      expect(agentInfo?.name).toBe("OpenCode");
      await expect(editor.open("/etc")).rejects.toThrow("is in this sandbox");
      const sessionId = await editor.open(line.workspace);
      const prompt = "Please do this.\nRUN: id -un > who.txt; cat who.txt\n";
      expect(await editor.ask(sessionId, prompt)).toBe("end_turn");
    });
    expect(spoken(record)).toContain("agent");
    expect(readFileSync(join(line.workspace, "who.txt"), "utf8")).toBe("agent\n");
    expect(record.asked).toEqual([]);
  });

  test("is told which agents speak its protocol", async () => {
    const { code, stderr } = await line.run(["acp", "shell"]);
    expect(code).toBe(125);
    expect(stderr).toContain("shell does not speak the protocol.");
  });
});
