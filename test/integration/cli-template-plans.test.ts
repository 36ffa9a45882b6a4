import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLine } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const canIsolate = program("crun");

const TEAM = `version: 1
title: The team's shell
agent: shell
parameters:
  team: { type: choice, choices: [blue, red] }
  hours: { type: number, min: 1, max: 8 }
  forge: { type: secret, default: name-of-the-secret }
environment: { TEAM: "\${parameters.team}", FORGE: "\${parameters.forge}" }
policy: { preset: locked }
workspace: { modes: [readonly] }
lifetime: { maxAge: "\${parameters.hours}h" }
`;

describe.skipIf(!canIsolate.met)(canIsolate.title("templates before anything is made"), () => {
  let cli: CommandLine;

  const write = (path: string, text: string): string => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const place = (name: string, text: string): string =>
    write(join(cli.paths.templatesDirectory, name, "cattlegrid.template.yaml"), text);

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["ls"]);
    place("team", TEAM);
    place("another", "version: 1\ntitle: Another\nagent: shell\n");
  });
  afterAll(() => cli.close());

  test("are told all that is wrong with them at once, in the order of the file", async () => {
    const lines = [
      "version: 1",
      "titel: Team",
      "parameters: { team: { type: string, default: 7 } }",
      "agents: { shel: {} }",
      "steering: [{ name: a.md, from: gone.md }]",
      'policy: { preset: dve, allow: ["ok.example", "not a host"] }',
      "setup: [{ rum: make }]",
      'environment: { TEAM: "$' + '{parameters.taem}" }',
    ];
    const broken = write(join(cli.workspace, "worse.yaml"), `${lines.join("\n")}\n`);
    const linted = await cli.run(["template", "lint", broken]);
    const places = [...linted.stderr.matchAll(/worse\.yaml:(\d+:\d+): /g)].map(([, at]) => at);
    expect(places).toEqual(["2:1", "3:37", "4:11", "5:26", "6:11", "6:46", "7:11"]);
    expect(linted.stderr).toContain("worse.yaml has 7 problems.");
    for (const guess of ["title", "shell", "run"]) {
      expect(linted.stderr).toContain(`did you mean ${guess}?`);
    }
    const told = JSON.parse((await cli.run(["template", "lint", broken, "--json"])).stdout);
    expect(told.templates[0].problems).toHaveLength(7);
    const first = { line: 2, column: 1 };
    expect(told.templates).toMatchObject([{ ok: false, code: "TEMPLATE_INVALID", ...first }]);
    expect(linted.code).toBe(125);
    // With its parameters in order it is known whether a reference leads to one.
    write(broken, `${lines.join("\n").replace("default: 7", "default: a")}\n`);
    expect((await cli.run(["template", "lint", broken])).stderr).toMatch(
      /worse\.yaml:8:\d+: .*no parameter taem; did you mean team\?/,
    );
  });

  test("are told beside the command that would run, and nothing is made", async () => {
    const words = ["--template", "team", "--param", "team=red", "--param", "hours=2", "--dry-run"];
    const before = (await cli.run(["ls", "--json"])).stdout;
    const dry = await cli.run(["run", ...words]);
    expect([dry.code, JSON.parse(dry.stdout)]).toEqual([0, ["bash", "-l"]]);
    for (const line of [
      /^template +team \(user\): The team's shell$/m,
      /^base +host: /m,
      /^answers +team=red, hours=2, forge \(a secret\)$/m,
      /^variables +TEAM, FORGE \(a secret\)$/m,
      /^policy +locked$/m,
      /^workspace +readonly$/m,
      /^life +gone after 2h$/m,
    ]) {
      expect(dry.stderr).toMatch(line);
    }
    expect(dry.stderr).not.toContain("name-of-the-secret");
    const chat = await cli.run(["chat", "claude", "--template", "another", "--dry-run"]);
    expect(chat.stdout).toMatch(/^agent +claude, trust all, with --settings=/m);
    expect(chat.stdout).toMatch(/^layers +Claude Code \(Anthropic\) \(to be built\)$/m);
    const missing = await cli.run(["run", "--template", "team", "--dry-run"]);
    expect([missing.code, missing.stderr]).toEqual([
      125,
      expect.stringContaining("PARAMETER_MISSING"),
    ]);
    expect((await cli.run(["ls", "--json"])).stdout).toBe(before);
  });
});
