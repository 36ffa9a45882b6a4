import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseSettings } from "./settings.ts";

const PATH = "/state/config.yaml";

describe("config.yaml", () => {
  test("an empty file says nothing", async () => {
    expect(await parseSettings("# nothing\n", PATH)).toMatchObject({ toolchains: [], flags: {} });
  });

  test("stands in for flags, and adds toolchains and rules", async () => {
    const text =
      "toolchains: [~/.nvm, /opt/tool, nearby]\nmode: readonly\ncpus: 2\npolicy: ./strict.yaml\n" +
      "deny:\n  - bad.example\nregions: [eu-central-1]\ngit-identity: false\n";
    expect(await parseSettings(text, PATH)).toEqual({
      toolchains: [join(homedir(), ".nvm"), "/opt/tool", "/state/nearby"],
      allow: [],
      deny: ["bad.example"],
      regions: ["eu-central-1"],
      flags: { mode: "readonly", cpus: "2", policy: "/state/strict.yaml" },
      gitIdentity: false,
    });
  });

  test.each([
    ["an unknown setting", "mode: direct\nmdoe: direct\n", '2:1: there is no setting "mdoe"'],
    ["a list that is none", "toolchains: /opt\n", "1:13: `toolchains` must be a list"],
    ["an entry that is no text", "allow:\n  - [x]\n", "2:5: `an entry of allow` must be a text"],
    [
      "a switch that is none",
      "git-identity: maybe\n",
      "1:15: `git-identity` must be true or false",
    ],
    ["no mapping", "- a\n", "1:1: the file must be"],
    ["broken YAML", "mode: [\n", "/state/config.yaml:"],
  ])("%s is refused with file, line and column", async (_title, text, message) => {
    const reading = parseSettings(text, PATH);
    await expect(reading).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(reading).rejects.toThrow(message);
  });
});
