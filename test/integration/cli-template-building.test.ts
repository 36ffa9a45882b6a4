import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TemplateLayer } from "../../src/protocol/template-layer.ts";
import { CommandLine } from "../support/command-line.ts";
import { program } from "../support/requirement.ts";

const canIsolate = program("crun");

const GOLDEN = `version: 1
title: Golden
agent: shell
parameters:
  team: { type: string, title: Which team?, default: blue }
setup:
  - name: Write the rules
    run: echo "rules of $PARAM_TEAM" > rules; cat /proc/sys/kernel/random/uuid > made
`;
const BROKEN = `version: 1
title: Broken
agent: shell
setup:
  - name: Half of it
    run: echo begun; touch half; echo "no such tool" >&2; exit 7
`;

interface Built {
  template: string;
  layers: string[];
  log?: string;
}

describe.skipIf(!canIsolate.met)(canIsolate.title("templates are built"), () => {
  let cli: CommandLine;

  const place = (name: string, text: string): void => {
    const path = join(cli.paths.templatesDirectory, name, "cattlegrid.template.yaml");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const template = async (...words: string[]): ReturnType<CommandLine["run"]> =>
    cli.run(["template", ...words]);
  const build = async (...words: string[]): Promise<Built> => {
    const { code, stdout, stderr } = await template("build", ...words, "--json");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    return JSON.parse(stdout) as Built;
  };
  const layersOf = async (...words: string[]): Promise<TemplateLayer[]> =>
    (JSON.parse((await template(...words, "--json")).stdout) as { layers: TemplateLayer[] }).layers;

  beforeAll(async () => {
    cli = new CommandLine();
    await cli.run(["ls"]);
    place("golden", GOLDEN);
    place("broken", BROKEN);
  });
  afterAll(() => cli.close());

  test("ahead of need, telling each step; then nothing is left to build", async () => {
    const built = await template("build", "golden");
    expect([built.code, built.stdout]).toEqual([0, ""]);
    expect(built.stderr).toMatch(/Step 1 of 1: Write the rules[^]*Built template golden/);
    const again = await template("build", "golden");
    expect(again.code).toBe(0);
    expect(again.stderr).toContain("nothing is left to build of golden");
    expect(again.stderr).not.toContain("Step");
    expect((await template("ls")).stdout).toMatch(
      /^golden +user +shell +ready +\S+ \S*B +\d+\w ago/m,
    );
    expect((await template("ls")).stdout).toMatch(/^broken +user +shell +ready +- +- /m);
  });

  test("anew with --no-cache, and for another answer that a step names", async () => {
    const first = await build("golden");
    expect(first.log).toBeUndefined();
    const anew = await build("golden", "--no-cache");
    expect(anew.layers).not.toEqual(first.layers);
    expect(readFileSync(anew.log ?? "", "utf8")).toContain("Write the rules");
    const red = await build("golden", "--param", "team=red", "--provider", "local");
    expect([...first.layers, ...anew.layers]).not.toContain(red.layers.at(-1));
    expect(await build("golden")).toEqual({ template: "golden", layers: anew.layers });
  });

  test("not at all when a step fails: the log is kept and told, and nothing is cached", async () => {
    const before = await layersOf("ls");
    const failed = await template("build", "broken");
    expect([failed.code, failed.stdout]).toEqual([125, ""]);
    expect(failed.stderr).toContain("no such tool");
    expect(failed.stderr).toContain("code: TEMPLATE_BUILD_FAILED");
    const log = /The log is (\S+\.log)/.exec(failed.stderr)?.[1] ?? "";
    expect(readFileSync(log, "utf8")).toMatch(/begun\nno such tool\n/);
    expect(await layersOf("ls")).toEqual(before);
    expect((await template("build", "broken")).stderr).toContain("Step 1 of 1: Half of it");
    const unknown = await template("build", "nobodys");
    expect(unknown.code).toBe(125);
    expect((await template("build")).code).toBe(125);
  });

  test("and removed by gc where no sandbox stands on them, never where one does", async () => {
    const { layers } = await build("golden");
    const created = ["run", "--template", "golden", "--name", "user", ".", "--", "-c"];
    const ran = await cli.run([...created, "cat ~/rules"]);
    expect([ran.code, ran.stdout]).toEqual([0, "rules of blue\n"]);
    const there = (await layersOf("ls")).map(({ layer }) => layer);
    expect(there.length).toBeGreaterThan(layers.length);
    expect(await layersOf("gc", "--dry-run")).toEqual([]);
    const unused = there.filter((layer) => !layers.includes(layer)).toSorted();
    const would = await layersOf("gc", "--older-than", "1ms", "--dry-run");
    expect(would.map(({ layer }) => layer).toSorted()).toEqual(unused);
    expect((await layersOf("ls")).length).toBe(there.length);
    const gone = await template("gc", "--older-than", "1ms");
    expect(gone.stderr).toMatch(new RegExp(`removed ${unused.length} layers? \\(\\d\\S* \\S*B\\)`));
    expect(gone.stdout).toContain(unused[0]);
    expect((await layersOf("ls")).map(({ layer }) => layer)).toEqual(layers);
    expect((await cli.run(["stop", "user"])).code).toBe(0);
    expect(await layersOf("gc", "--older-than", "1ms")).toEqual([]);
    expect((await cli.run(["rm", "--force", "user"])).code).toBe(0);
    const prunable = await cli.run(["prune", "--dry-run"]);
    expect(prunable.stdout).toMatch(
      /^template +setup-[\w-]+ +\d\S* \S*B +used by no local sandbox$/m,
    );
    expect((await layersOf("gc", "--older-than", "1ms")).map(({ layer }) => layer)).toEqual(layers);
    expect((await template("gc", "--older-than", "1ms")).stderr).toContain("nothing to remove");
    expect(existsSync(join(cli.paths.stateDirectory, "builds"))).toBe(true);
  });
});
