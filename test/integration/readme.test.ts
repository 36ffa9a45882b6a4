import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunningProgram } from "../support/running-program.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VERBS } from "../../src/cli/verbs.ts";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { readBlocks, readSessions, toScript } from "../support/documented-session.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";

const ROOT = join(import.meta.dirname, "../..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const needs = allOf(KIRO_NEEDS, program("curl"), program("script"), program("npm"));

/** The commands of a block, without the remarks behind them. */
function commandsOf(block: readonly string[]): string[] {
  return block.map((line) => line.replace(/\s+#.*$/, ""));
}

describe("the README", () => {
  test("has three blocks, and each of them is run below", () => {
    const blocks = readBlocks("README.md");
    expect(blocks.map(([first = ""]) => first.split(/\s{2,}/)[0])).toEqual([
      "cattlegrid run kiro ~/my-project",
      "npm run demo",
      "$ cd ~/hello",
    ]);
  });

  test("names scripts of the package: the demo is run by its own test, the tests by whoever runs this", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const words = commandsOf(readBlocks("README.md")[1] ?? []).map((line) =>
      line.split(" ").at(-1),
    );
    const mentioned = [...README.matchAll(/`npm run (\w+)`/g)].map(([, name]) => name);
    for (const name of [...words, ...mentioned]) expect(Object.keys(scripts)).toContain(name);
  });

  const listed = [...README.matchAll(/`cg ([^`]+)`/g)].map(([, command = ""]) => command);
  test.each(listed.map((command) => command.replaceAll("\\|", "|")))(
    "`cg %s` is understood",
    async (command) => {
      const [verb = "", ...words] = (command.match(/"[^"]*"|\S+/g) ?? []).map((word) =>
        word.replaceAll('"', ""),
      );
      const entry = VERBS[verb];
      // What could not be parsed would throw.
      expect((await entry?.load())?.parse(words).wantsHelp).toBe(false);
    },
  );
});

describe.skipIf(!needs.met)(needs.title("the README's commands"), () => {
  let yard: CommandLineYard;
  let home: string;
  beforeAll(async () => {
    yard = await CommandLineYard.open();
    home = join(yard.root, "home");
    for (const folder of ["hello", "my-project"]) mkdirSync(join(home, folder));
    const manifest = { name: "my-project", scripts: { test: "echo all tests passed" } };
    writeFileSync(join(home, "my-project/package.json"), JSON.stringify(manifest));
  });
  afterAll(() => yard?.close());

  test("the first look inside comes out as it is shown", () => {
    const [session = ""] = readSessions("README.md");
    const file = join(yard.root, "session.sh");
    writeFileSync(file, `exec 2>&1\n${toScript(session)}`);
    const output = execFileSync("bash", [file], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...yard.environment, PATH: `${join(ROOT, "bin")}:${yard.environment["PATH"] ?? ""}` },
    });
    const steady = (text: string): string =>
      text.replaceAll(home, "/home/ada").replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME");
    expect(steady(output)).toBe(steady(session));
  });

  test("the main job: an agent in a project with one sign-in, a chat, and a command beside it", async () => {
    const [run = "", chat = "", exec = ""] = commandsOf(readBlocks("README.md")[0] ?? []);
    await converse(run, { signsIn: true });
    const beside = yard.startInTerminal(exec);
    expect(await beside.until(/all tests passed/)).toContain("all tests passed");
    await beside.finished;
    // Signed in once, for the chat's own sandbox too.
    await converse(chat, { signsIn: false });
    const kept = await yard.sandboxes();
    expect(kept.map(({ name }) => name)).toEqual(["kiro-my-project"]);
  });

  async function approveFirst(terminal: RunningProgram): Promise<void> {
    await terminal.until(/Use with Your Organization/);
    terminal.write("\u001B[B\r");
    const code = /code: (\S+)/.exec(await terminal.until(/code: [A-Z]{4}-[A-Z]{4}/))?.[1] ?? "";
    expect(yard.cloud.approve(code)).toBe(true);
  }

  /** Signs in by the list, where that has to be, and leaves at the prompt. */
  async function converse(command: string, { signsIn }: { signsIn: boolean }): Promise<void> {
    const terminal = yard.startInTerminal(command, { directory: join(home, "hello") });
    if (signsIn) await approveFirst(terminal);
    await terminal.until(/Signed in as[^]*> /);
    terminal.write("\u0004");
    expect((await terminal.finished).exitCode).toBe(0);
  }
});
