import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLineYard, KEY, type RunOptions } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import type { Finished } from "../support/running-program.ts";

const ROOT = join(import.meta.dirname, "../..");
const NAMES = readdirSync(join(ROOT, "templates"));
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
});
