import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/protocol/sandbox.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";

const NEEDS = allOf(program("crun"), program("tmux"));
const TEMPLATE = "version: 1\nagent: kiro\npolicy: { preset: locked, allow: [tools.example] }\n";
const SERVERS = {
  local: { command: "tool", env: { COLOUR: "red" } },
  allowed: { url: "https://tools.example/mcp" },
  denied: { url: "https://other.example/mcp" },
};

describe.skipIf(!NEEDS.met)(NEEDS.title("imports of templates"), () => {
  let cli: CommandLine;

  const write = (path: string, text: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const place = (name: string, said: string): void =>
    write(join(cli.paths.templatesDirectory, name, "cattlegrid.template.yaml"), said);
  const create = (name: string, ...flags: string[]): Promise<CommandResult> =>
    cli.run(["create", "--name", name, "--template", ...flags, "."]);
  const taken = async (name: string): Promise<unknown> => {
    const { stdout } = await cli.run(["inspect", name, "--json"]);
    return (JSON.parse(stdout) as Sandbox).template?.imported;
  };

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["ls"]);
    place("both", `${TEMPLATE}import: [steering, mcp]\n`);
    place("one", `${TEMPLATE}import: [steering]\n`);
    place("none", TEMPLATE);
    place("shell", "version: 1\nagent: shell\nimport: [steering]\n");
    const kiro = join(cli.environment["HOME"]!, ".kiro");
    write(join(kiro, "steering/own.md"), "Own words.\n");
    write(join(kiro, "settings/mcp.json"), JSON.stringify({ mcpServers: SERVERS }));
  });
  afterAll(() => cli.close());

  test("take nothing in a script, and say so", async () => {
    const made = await create("quiet", "both");
    expect([made.code, made.stderr]).toEqual([
      0,
      expect.stringMatching(/nothing of your own .*--import/),
    ]);
    expect(await taken("quiet")).toBeUndefined();
  });

  test("take with --import what is allowed, list it before, and keep it when made anew", async () => {
    const made = await create("given", "both", "--import");
    expect(made.code).toBe(0);
    expect(made.stderr).toMatch(
      /steering own\.md[^]*MCP server local: runs inside: COLOUR=red tool/,
    );
    expect(made.stderr).toMatch(/left out: .*other\.example/);
    const names = { steering: ["own.md"], mcpServers: ["local", "allowed"] };
    expect(await taken("given")).toEqual(names);
    expect((await cli.run(["recreate", "given"])).code).toBe(0);
    expect(await taken("given")).toEqual(names);
  });

  test("take only what the template names", async () => {
    expect((await create("part", "one", "--import")).code).toBe(0);
    expect(await taken("part")).toEqual({ steering: ["own.md"], mcpServers: [] });
  });

  test("are refused where the template or the agent has none", async () => {
    const refused = await create("refused", "none", "--import");
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringContaining("REQUEST_INVALID"),
    ]);
    expect((await create("allowed", "none")).code).toBe(0);
    expect((await create("unable", "shell")).stderr).toContain("AGENT_SETTING_UNAVAILABLE");
  });

  test("are asked for at a terminal, where Enter is no", async () => {
    using screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
    screen.enter(
      `${cli.quote("create", "--name", "asked", "--template", "both", ".")}; echo "status=$?"`,
    );
    await screen.shows("Take it into the sandbox?");
    expect(screen.text()).toContain("steering own.md");
    screen.press("Enter");
    await screen.shows("status=0");
    expect(await taken("asked")).toBeUndefined();
    screen.enter(
      `clear; ${cli.quote("create", "--name", "agreed", "--template", "one", ".")}; echo "status=$?"`,
    );
    await screen.shows("Take it into the sandbox?");
    screen.press("y");
    await screen.shows("status=0");
    expect(await taken("agreed")).toEqual({ steering: ["own.md"], mcpServers: [] });
  });
});
