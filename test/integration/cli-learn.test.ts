import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CommandLine } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";

const needed = allOf(program("crun"), program("tmux"), program("curl"));

/** Names of which a wildcard would cover three. */
const WANTS = `for name in a.cdn b.cdn c.cdn one; do curl -s -m 20 https://$name.example/; done; exit 7`;
const EXACT = ["a.cdn", "b.cdn", "c.cdn", "one"].map((name) => `${name}.example:443,tls`);
const QUESTION = "Allow every name of the form *.cdn.example?";

describe.skipIf(!needed.met)(needed.title("run --learn on a terminal"), () => {
  let cli: CommandLine;
  let screen: Screen;
  beforeAll(() => void (cli = new CommandLine()));
  afterAll(() => cli.close());
  beforeEach(async () => {
    screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
    await screen.shows("HOST>");
  });
  afterEach(() => screen[Symbol.dispose]());

  function run(...flags: readonly string[]): void {
    const argv = [
      "run",
      "--learn",
      "--learn-to",
      "learnt.yaml",
      ...flags,
      "shell",
      "--",
      "-c",
      WANTS,
    ];
    screen.enter(`clear; ${cli.quote(...argv)}; echo "status=$?"`);
  }
  const learnt = (): string[] =>
    [...readFileSync(join(cli.workspace, "learnt.yaml"), "utf8").matchAll(/- "(.*)"/g)].map(
      ([, rule]) => rule ?? "",
    );

  test.each<[string, string, readonly string[]]>([
    ["takes a wildcard that a person says yes to", "y", ["*.cdn.example:443,tls", EXACT[3] ?? ""]],
    ["keeps the exact names for whoever presses Enter", "Enter", EXACT],
    ["keeps them for whoever interrupts the question", "C-c", EXACT],
  ])("%s, and ends with the program's status", async (_what, key, expected) => {
    run();
    await screen.shows(QUESTION);
    await screen.shows(/The run used a\.cdn\.example, b\.cdn\.example and\W+c\.cdn\.example/);
    screen.press(key);
    await screen.shows("status=7");
    expect(learnt()).toEqual(expected);
    expect(JSON.parse((await cli.run(["ls", "--json"])).stdout)).toEqual({ sandboxes: [] });
  });

  test("asks nothing of whoever wants no questions", async () => {
    run("--no-input");
    await screen.shows("status=7");
    expect(learnt()).toEqual(EXACT);
    await screen.shows("*.cdn.example would cover");
  });
});
