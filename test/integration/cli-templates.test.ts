import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "../../src/protocol/sandbox.ts";
import type { TemplateList } from "../../src/protocol/template-list.ts";
import { CommandLine, type CommandResult } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";

const BIN = join(import.meta.dirname, "../../bin");
const canIsolate = program("crun");
const hasTerminal = program("tmux");

const TEAM = `version: 1
title: The team's shell
agent: shell
parameters:
  team: { type: choice, title: Which team?, choices: [blue, { value: red, title: The red one }], mutable: true }
  hours: { type: number, title: How many hours?, min: 1, max: 8 }
environment: { TEAM: "\${parameters.team}" }
policy: { preset: locked }
workspace: { modes: [readonly] }
lifetime: { maxAge: "\${parameters.hours}h" }
`;

describe.skipIf(!canIsolate.met)(canIsolate.title("templates"), () => {
  let cli: CommandLine;

  const write = (path: string, text: string): string => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const place = (name: string, text: string): string =>
    write(join(cli.paths.templatesDirectory, name, "cattlegrid.template.yaml"), text);
  const codeOf = ({ code, stderr }: CommandResult): unknown[] => [
    code,
    /code: (\S+)/.exec(stderr)?.[1],
  ];
  const inspect = async (name: string): Promise<Sandbox> =>
    JSON.parse((await cli.run(["inspect", name, "--json"])).stdout) as Sandbox;

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["ls"]);
    place("team", TEAM);
    place("another", "version: 1\ntitle: Another\nagent: shell\n");
  });
  afterAll(() => cli.close());

  test("are listed, shown as written and as they count, and checked with line and fix", async () => {
    const { stdout } = await cli.run(["template", "ls", "--json"]);
    const { templates } = JSON.parse(stdout) as TemplateList;
    expect(templates.find(({ name }) => name === "team")).toMatchObject({
      origin: "user",
      agent: "shell",
      parameters: [{ name: "team" }, { name: "hours" }],
    });
    expect((await cli.run(["template", "ls"])).stdout).toMatch(/^team +user +shell +ready/m);
    expect((await cli.run(["template", "show", "team"])).stdout).toContain(TEAM);
    const words = ["template", "show", "team", "--resolved", "--param", "team=red"];
    const resolved = await cli.run([...words, "--param", "hours=2", "--json"]);
    expect(JSON.parse(resolved.stdout)).toMatchObject({
      environment: { TEAM: "red" },
      lifetime: { maxAgeMs: 7_200_000 },
    });
    expect((await cli.run(["template", "lint", "team"])).code).toBe(0);
    const broken = write(join(cli.workspace, "broken.yaml"), "version: 1\nagents: { shel: {} }\n");
    const linted = await cli.run(["template", "lint", broken]);
    expect(codeOf(linted)).toEqual([125, "TEMPLATE_INVALID"]);
    expect(linted.stderr).toContain("did you mean shell?");
    write(broken, "version: 1\nenvironmnt: {}\n");
    expect((await cli.run(["template", "lint", broken])).stderr).toMatch(
      /broken\.yaml:2:1: .*did you mean environment\?/,
    );
  });

  test("make sandboxes, with answers from flags over those of a file", async () => {
    const answers = write(join(cli.workspace, "answers.yaml"), "team: blue\nhours: 3\n");
    const words = ["run", "--template", "team", "--params-file", answers, "--param", "team=red"];
    const ran = await cli.run([...words, "--name", "made", ".", "--", "-c", 'echo "T=$TEAM"']);
    expect([ran.code, ran.stdout]).toEqual([0, "T=red\n"]);
    expect(await inspect("made")).toMatchObject({
      template: { name: "team", parameters: { team: "red", hours: 3 } },
      workspace: { mode: "readonly" },
      origins: { template: "--template", mode: "template team", maxAge: "template team" },
    });
  });

  test("count from the settings too, and what else is set there gives way to them", async () => {
    const settings = join(cli.paths.stateDirectory, "config.yaml");
    write(settings, "template: team\nmode: direct\nmax-age: 2h\n");
    const answers = ["--param", "team=blue", "--param", "hours=4"];
    expect((await cli.run(["create", "--name", "set", ...answers])).code).toBe(0);
    expect(await inspect("set")).toMatchObject({
      workspace: { mode: "readonly" },
      lifetime: { maxAgeMs: 7_200_000 },
      origins: { template: `${settings}:1`, mode: "template team", maxAge: `${settings}:3` },
    });
    const plain = await cli.run(["create", "shell", "--template=", "--name", "plain"]);
    expect(plain.code).toBe(0);
    expect((await inspect("plain")).template).toBeUndefined();
    // One that exists is entered, whatever new ones are made from.
    expect((await cli.run(["create", "--name", "plain"])).code).toBe(0);
    // Nor is one that was made from a template refused because of what stands in for flags.
    write(settings, "mode: direct\nmax-age: 2d\npolicy: open\n");
    expect((await cli.run(["create", "--name", "set"])).code).toBe(0);
    const wider = await cli.run(["create", "--name", "set", "--policy", "open"]);
    expect(codeOf(wider)).toEqual([125, "TEMPLATE_FIXED"]);
    const variable = await cli.run(["run", "--name", "set", "-e", "TEAM=red", "--", "-c", "true"]);
    expect(codeOf(variable)).toEqual([125, "TEMPLATE_FIXED"]);
    write(settings, "");
    const environment = { CATTLEGRID_TEMPLATE: "team" };
    await cli.run(["create", "--name", "env", ...answers], { environment });
    expect((await inspect("env")).origins).toMatchObject({ template: "CATTLEGRID_TEMPLATE" });
  });

  test.each<[string, string, { code: string; says: RegExp }]>([
    ["no answers", "", { code: "PARAMETER_MISSING", says: /team, hours/ }],
    [
      "an answer that is none",
      "team=grey hours=1",
      { code: "PARAMETER_INVALID", says: /blue, red/ },
    ],
    ["one out of range", "team=red hours=9", { code: "PARAMETER_INVALID", says: /1 to 8/ }],
    ["an unknown one", "taem=red", { code: "PARAMETER_INVALID", says: /Did you mean team\?/ }],
    ["no value", "team", { code: "USAGE", says: /NAME=VALUE/ }],
  ])("refuse %s", async (_, answers, { code, says }) => {
    const words = answers.split(" ").filter((word) => word !== "");
    const refused = await cli.run([
      "create",
      "--template",
      "team",
      "--name",
      "no-such",
      ...words.flatMap((word) => ["--param", word]),
    ]);
    expect(codeOf(refused)).toEqual([125, code]);
    expect(refused.stderr).toMatch(says);
  });

  test("leave nothing where they refused", async () => {
    expect((await cli.run(["ls"])).stdout).not.toContain("no-such");
  });

  test("refuse what is wider than they say, with what they say", async () => {
    const answers = ["--param", "team=red", "--param", "hours=1"];
    const refused = await cli.run(["create", "--template", "team", "--mode", "direct", ...answers]);
    expect(codeOf(refused)).toEqual([125, "TEMPLATE_FIXED"]);
    expect(refused.stderr).toContain("The template team says what mode is: readonly.");
  });

  test("one that nobody has is told with the name that was meant", async () => {
    const refused = await cli.run(["create", "--template", "taem"]);
    expect(codeOf(refused)).toEqual([125, "TEMPLATE_UNKNOWN"]);
    expect(refused.stderr).toContain("Did you mean team?");
  });

  test("let a sandbox's mutable answers change, at its next start", async () => {
    const answers = ["--param", "team=blue", "--param", "hours=4"];
    await cli.run(["create", "--template", "team", "--name", "later", ...answers]);
    const set = await cli.run(["params", "later", "--set", "team=red"]);
    expect(set.stdout).toMatch(/^team +blue +red +yes/m);
    const ran = await cli.run(["run", "--name", "later", "--", "-c", 'echo "T=$TEAM"']);
    expect(ran.stdout).toBe("T=red\n");
    const fixed = await cli.run(["params", "later", "--set", "hours=5"]);
    expect(codeOf(fixed)).toEqual([125, "PARAMETER_IMMUTABLE"]);
  });

  test("of a project count once they are approved, and again not when they have changed", async () => {
    const file = join(cli.workspace, ".cattlegrid/cattlegrid.template.yaml");
    write(file, "version: 1\nagent: shell\nsetup: [{ run: 'touch made' }]\n");
    const create = () => cli.run(["create", "--template", "project", "--name", "mine"]);
    expect(codeOf(await create())).toEqual([125, "TEMPLATE_UNTRUSTED"]);
    const approved = await cli.run(["template", "approve"]);
    expect(approved.stderr).toContain("touch made");
    expect((await create()).code).toBe(0);
    write(file, "version: 1\nagent: shell\nsetup: [{ run: 'touch other' }]\n");
    const again = await cli.run(["create", "--template", "project", "--name", "another"]);
    expect(codeOf(again)).toEqual([125, "TEMPLATE_UNTRUSTED"]);
  });

  describe.skipIf(!hasTerminal.met)(hasTerminal.title("on a terminal"), () => {
    const needs = allOf(program("bash"), hasTerminal);
    const open = (): Screen => {
      const screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
      screen.enter(`export PATH=${BIN}:$PATH`);
      return screen;
    };

    test.skipIf(!needs.met)(
      needs.title("a first minute: picked by an arrow, two answers, and the agent runs"),
      async () => {
        using screen = open();
        screen.enter("clear; cg run --name first");
        await screen.shows("What shall run?");
        await screen.shows("● Another");
        screen.press("Down");
        await screen.shows("● The team's shell");
        screen.press("Enter");
        await screen.shows("● blue");
        screen.press("Down");
        await screen.shows("● The red one");
        screen.press("Enter");
        await screen.shows("How many hours?");
        screen.enter("2");
        await screen.shows("first:");
        screen.enter('echo "TEAM=$TEAM."');
        await screen.shows("TEAM=red.");
        screen.enter("exit");
        await screen.shows(/logout|exit/);
      },
    );

    test.skipIf(!needs.met)(
      needs.title("a secret is picked by its name, and yes or no is a key"),
      async () => {
        const questions =
          "{ key: { type: secret, title: Which key? }, wide: { type: boolean, title: Wide? } }";
        const variables = 'environment: { KEY: "${parameters.key}", WIDE: "${parameters.wide}" }';
        place("asks", `version: 1\nagent: shell\nparameters: ${questions}\n${variables}\n`);
        using screen = open();
        screen.enter("clear; cg create --template asks --name none");
        await screen.shows("cattlegrid secret set NAME");
        await cli.run(["secret", "set", "forge-key"], { input: "hunter2" });
        screen.enter("clear; cg create --template asks --name picked");
        await screen.shows("● forge-key");
        screen.press("Enter");
        await screen.shows("Wide?");
        screen.type("n");
        await screen.shows(/^picked$/m);
        expect(await inspect("picked")).toMatchObject({
          bindings: { KEY: "forge-key" },
          environmentNames: ["WIDE"],
          template: { parameters: { key: "forge-key", wide: false } },
        });
      },
    );

    test.skipIf(!needs.met)(
      needs.title("a project's template is told and asked for, and no is no"),
      async () => {
        write(
          join(cli.workspace, ".cattlegrid/cattlegrid.template.yaml"),
          "version: 1\nagent: shell\npolicy: { allow: [drop.example] }\n",
        );
        using screen = open();
        screen.enter("clear; cg create --template project --name asked");
        await screen.shows("drop.example");
        await screen.shows("● No");
        screen.press("Enter");
        await screen.shows("nothing was made");
        screen.enter("clear; cg create --template project --name asked");
        await screen.shows("● No");
        screen.type("y");
        await screen.shows(/^asked$/m);
        expect((await inspect("asked")).policy.allow).toEqual(["drop.example"]);
      },
    );

    test.skipIf(!needs.met)(
      needs.title("templates and their parameters are completed"),
      async () => {
        using screen = open();
        screen.enter("clear; eval \"$(cg completion bash)\"; echo loa''ded");
        await screen.shows(/^loaded$/m);
        for (const [typed, whole] of [
          ["cg run --template te", "cg run --template team"],
          ["cg create --template team --param hou", "cg create --template team --param hours="],
          ["cg template show te", "cg template show team"],
        ] as const) {
          screen.type(typed);
          screen.press("Tab");
          await screen.shows(whole);
          screen.press("C-c");
          // The terminal drops what is typed before the shell has taken the key.
          await screen.shows(/HOST>$/);
        }
      },
    );
  });
});
