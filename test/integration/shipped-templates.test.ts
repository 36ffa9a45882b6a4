import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLineYard, KEY, type RunOptions } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import type { Finished } from "../support/running-program.ts";
import { Screen } from "../support/screen.ts";

const ROOT = join(import.meta.dirname, "../..");
const NAMES = readdirSync(join(ROOT, "templates"));
const hasJava = program("java");
const hasTerminal = allOf(program("tmux"), program("bash"));
const NEEDS = allOf(KIRO_NEEDS, program("git"), program("jq"));

describe.skipIf(!NEEDS.met)(NEEDS.title("the templates that come with the program"), () => {
  let yard: CommandLineYard;
  beforeAll(async () => {
    yard = await CommandLineYard.open();
    writeFileSync(join(yard.workspace, "mine.txt"), "mine\n");
  });
  afterAll(() => yard?.close());

  const key: RunOptions = { environment: { KIRO_API_KEY: KEY } };
  const codeOf = ({ exitCode, text }: Finished): unknown[] => [
    exitCode,
    /code: (\S+)/.exec(text)?.[1],
  ];
  const mine = (): string => readFileSync(join(yard.workspace, "mine.txt"), "utf8");

  /** One prompt in a sandbox of the template that stays; resolves with what Kiro wrote. */
  async function ask(words: readonly string[], prompt: string): Promise<Finished> {
    return yard.run(["chat", ...words, "-e", "KIRO_API_KEY", "--prompt", prompt], key);
  }

  test("are these, in order as they are, and each has a page", async () => {
    expect(NAMES).toEqual(["kiro", "kiro-ci", "kiro-locked", "shell"]);
    const { text: list } = await yard.run(["template", "ls"]);
    for (const name of NAMES) {
      expect(list).toMatch(new RegExp(`^${name} +shipped +\\S+ +ready`, "m"));
      const linted = await yard.run(["template", "lint", name]);
      expect([linted.exitCode, linted.text]).toEqual([0, expect.stringContaining("is in order")]);
      expect(readFileSync(join(ROOT, "docs/templates.md"), "utf8")).toContain(
        `(templates/${name}.md)`,
      );
      expect(existsSync(join(ROOT, "docs/templates", `${name}.md`))).toBe(true);
    }
  });

  test("kiro has its tools, knows where it is, and reaches registries and forges", async () => {
    const words = ["--template", "kiro", "--name", "golden"];
    const made = await ask(
      words,
      "run: git --version && jq --version && python3 --version && node --version && echo all-there > tools.txt",
    );
    expect([made.exitCode, made.text]).toEqual([0, expect.any(String)]);
    expect(readFileSync(join(yard.workspace, "tools.txt"), "utf8")).toBe("all-there\n");
    const told = await ask(words, "what are you told about cattlegrid?");
    expect(told.text).toContain("You run in a Cattlegrid sandbox");
    const check = async (url: string): Promise<string> =>
      (await yard.run(["policy", "check", "golden", url])).text;
    expect(await check("https://registry.npmjs.org/x")).toMatch(/allow/);
    expect(await check("https://drop.example/x")).toMatch(/no rule allows/);
  });

  test.skipIf(!hasJava.met)(hasJava.title("kiro has Java where asked"), async () => {
    const java = ["--template", "kiro", "--param", "java=true", "--name", "java"];
    const made = await ask(java, "run: java -version && echo there > java.txt");
    expect([made.exitCode, made.text]).toEqual([0, expect.any(String)]);
    expect(readFileSync(join(yard.workspace, "java.txt"), "utf8")).toBe("there\n");
  });

  test("kiro is begun with by others; a tool that the machine lacks is named, and nothing is made", async () => {
    const directory = join(yard.root, "state/templates/ours");
    mkdirSync(directory, { recursive: true });
    const text = "version: 1\nextends: kiro\npackages: { apt: [no-such-tool] }\n";
    writeFileSync(join(directory, "cattlegrid.template.yaml"), text);
    const refused = await ask(["--template", "ours", "--name", "lacking"], "say: no");
    rmSync(directory, { recursive: true });
    expect(codeOf(refused)).toEqual([125, "PACKAGES_MISSING"]);
    expect(refused.text).toMatch(/apt-get install .*no-such-tool/);
    expect(refused.text).not.toMatch(/does not have .*\bjq\b/);
  });

  const asked = (access: string): string[] =>
    ["work=texts", `access=${access}`].flatMap((answer) => ["--param", answer]);

  test("kiro-locked changes copies and never the files themselves", async () => {
    const words = ["--template", "kiro-locked", ...asked("overlay"), "--name", "copies"];
    const made = await ask(words, "run: echo theirs > mine.txt");
    expect([made.exitCode, made.text]).toEqual([0, expect.any(String)]);
    expect(mine()).toBe("mine\n");
    expect((await yard.run(["diff", "copies"])).text).toContain("+theirs");
  });

  test("kiro-locked lets out to Kiro's service alone, whatever is said beside it", async () => {
    const create = ["create", "--template", "kiro-locked", ...asked("readonly")];
    for (const wider of ["--policy=dev", "--mode=direct", "--mode=overlay", "--max-age=9h"]) {
      const refused = await yard.run([...create, "--name", "wide", wider]);
      expect([wider, ...codeOf(refused)]).toEqual([wider, 125, "TEMPLATE_FIXED"]);
    }
    await yard.run([...create, "--name", "locked", "--allow", "drop.example"]);
    const check = async (url: string): Promise<string> =>
      (await yard.run(["policy", "check", "locked", url])).text;
    expect(await check("https://drop.example/")).toMatch(/^.*den(y|ied)/m);
    expect(await check("https://runtime.us-east-1.kiro.dev/")).toMatch(/^.*allow/m);
    await yard.run(["start", "locked"]);
    const tried = await yard.inside("locked", "echo theirs > mine.txt || cat mine.txt");
    expect([tried, mine()]).toEqual(["mine\n", "mine\n"]);
  });

  test("kiro-ci works with a key and without a terminal, and nothing of it stays", async () => {
    const names = async (): Promise<string[]> => (await yard.sandboxes()).map(({ name }) => name);
    const before = await names();
    const words = ["chat", "--template", "kiro-ci", "--no-input", "--prompt"];
    const prompt = "run: echo theirs > mine.txt\nsay: done in the pipeline";
    const done = await yard.run([...words, prompt, "-e", "KIRO_API_KEY"], key);
    expect([done.exitCode, done.text]).toEqual([
      0,
      expect.stringContaining("done in the pipeline"),
    ]);
    expect(await names()).toEqual(before);
    expect(mine()).toBe("mine\n");
    const without = await yard.run([...words, prompt, "--profile", "nobody"]);
    expect(codeOf(without)).toEqual([121, "AGENT_NOT_SIGNED_IN"]);
    const direct = await yard.run([...words, prompt, "--mode", "direct"]);
    expect(codeOf(direct)).toEqual([125, "TEMPLATE_FIXED"]);
  });

  test("shell reaches nothing, and changes copies", async () => {
    const script = "echo theirs > mine.txt; cat mine.txt; curl -sS https://example.com 2>&1; true";
    const words = ["run", "--template", "shell", "--name", "looking", "--", "-c", script];
    const { exitCode, stdout } = await yard.run(words);
    expect([exitCode, stdout.toString()]).toEqual([
      0,
      expect.stringMatching(/^theirs\ncurl: .*resolve/),
    ]);
    expect(mine()).toBe("mine\n");
  });

  test.skipIf(!hasTerminal.met)(
    hasTerminal.title(
      "a colleague's first minute: an arrow, two answers, a sign-in, and Kiro works",
    ),
    async () => {
      using screen = new Screen({ cwd: yard.workspace, environment: yard.environment });
      screen.enter(`clear; ${join(ROOT, "bin/cg")} run --name minute --profile colleague`);
      await screen.shows("What shall run?");
      await screen.shows("● Kiro, ready to develop");
      screen.press("Down");
      await screen.shows("● Kiro, in a pipeline");
      screen.press("Down");
      await screen.shows("● Kiro, locked down");
      screen.press("Enter");
      await screen.shows("● Questions about files");
      screen.press("Down");
      await screen.shows("● Writing and revising texts");
      screen.press("Enter");
      await screen.shows("● Change copies of them");
      screen.press("Enter");
      await screen.shows("Use with Your Organization");
      screen.press("Enter");
      await screen.shows(/code: [A-Z]{4}-[A-Z]{4}/i);
      const [, code = ""] = /code: ([A-Z]{4}-[A-Z]{4})/i.exec(screen.text()) ?? [];
      expect(yard.cloud.approve(code)).toBe(true);
      await screen.shows(/Signed in as Builder ID/);
      await screen.shows(/> ?$/);
      screen.enter("what are you told about tone?");
      await screen.shows("Keep their tone");
      screen.enter("run: echo theirs > mine.txt");
      await screen.shows("Done.");
      expect(mine()).toBe("mine\n");
      screen.enter("/quit");
      await screen.shows(/HOST> ?$/);
      const made = (await yard.sandboxes()).find(({ name }) => name === "minute");
      expect(made).toMatchObject({
        agent: "kiro",
        workspace: { mode: "overlay" },
        template: { name: "kiro-locked", parameters: { work: "texts", access: "overlay" } },
      });
    },
  );
});
