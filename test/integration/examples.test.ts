import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { CommandLineYard, KEY } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import { type Finished, RunningProgram } from "../support/running-program.ts";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "examples");
const NEEDS = allOf(KIRO_NEEDS, program("script"), program("bash"));

interface Step {
  name?: string;
  run?: string;
  uses?: string;
  env?: Record<string, string>;
}

test("the chat with Kiro is no longer than 60 lines", () => {
  const lines = readFileSync(join(EXAMPLES, "kiro-chat.ts"), "utf8").trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(60);
});

describe.skipIf(!NEEDS.met)(NEEDS.title("the example"), () => {
  let yard: CommandLineYard;
  const started: RunningProgram[] = [];
  beforeAll(async () => {
    yard = await CommandLineYard.open();
  });
  afterAll(async () => {
    for (const { child } of started) child.kill("SIGKILL");
    await yard?.close();
  });

  function own(program: RunningProgram): RunningProgram {
    started.push(program);
    return program;
  }

  function node(example: string, words: readonly string[] = []): string[] {
    const flags = ["--conditions=cattlegrid-source", "--disable-warning=ExperimentalWarning"];
    return [process.execPath, ...flags, join(EXAMPLES, example), ...words];
  }

  function start(
    argv: readonly string[],
    environment: Record<string, string> = {},
  ): RunningProgram {
    const place = {
      environment: { ...yard.environment, ...environment },
      directory: yard.workspace,
    };
    return own(new RunningProgram(argv, place));
  }

  test("kiro-chat.ts signs in in the terminal, carries the conversation and leaves nothing", async () => {
    const shell = node("kiro-chat.ts").join(" ");
    const terminal = own(yard.startInTerminal(`${shell}; echo "status=$?"`));
    await terminal.until(/Use with Builder ID[^]*Use with Your Organization/);
    terminal.write("\r");
    const text = await terminal.until(/Open https:\S+\s+code: [A-Z]{4}-[A-Z]{4}/);
    yard.cloud.approve(/code: (\S+)/.exec(text)![1]!);
    await terminal.until(/Logged in successfully[^]*Ready\./);
    terminal.write("my name is Ada\n");
    await terminal.until(/Nice to meet you, Ada[^]*\[succeeded\]/);
    terminal.write("what is my name\n");
    await terminal.until(/Your name is Ada\.[^]*\[succeeded\]/);
    terminal.write("fail: overloaded\n");
    await terminal.until(/\[failed\] .*trouble/);
    terminal.write("exit\n");
    expect((await terminal.finished).text).toContain("status=0");
    expect(await yard.sandboxes()).toEqual([]);
  }, 180_000);

  test("kiro-chat.ts, killed in the middle, takes its sandbox along", async () => {
    const chat = start(node("kiro-chat.ts"), { KIRO_API_KEY: KEY });
    chat.write("say: still here\n");
    await chat.until(/still here[^]*\[succeeded\]/);
    chat.child.kill("SIGKILL");
    await chat.finished;
    await expect.poll(() => yard.sandboxes(), { timeout: 30_000 }).toEqual([]);
  });

  test("side-by-side.ts runs what it is given in sandboxes of their own, which change nothing", async () => {
    writeFileSync(join(yard.workspace, "fact.txt"), "a fact");
    const commands = ["cat fact.txt", "echo no > made.txt", 'test "$(id -un)" = agent'];
    const program = start(node("side-by-side.ts", [yard.workspace, ...commands]));
    const { exitCode, stdout } = await program.finished;
    expect(exitCode).toBe(1);
    expect(stdout.toString()).toMatch(
      /^ok {5}cat fact\.txt\nfailed \(\d\) echo no > made\.txt\n[^]*ok {5}test/,
    );
    expect(existsSync(join(yard.workspace, "made.txt"))).toBe(false);
  });

  test("watch-refusals.ts tells of a refusal as it happens", async () => {
    const watch = start(node("watch-refusals.ts"));
    await watch.until(/Watching/);
    await yard.run(["run", "shell", "--name", "box", "--", "-c", "true"]);
    const probe = "curl -sS https://refused.example.com";
    // The stream may open a moment after the first words: refusals go on until one is told.
    await expect
      .poll(
        async () => {
          await yard.run(["exec", "box", "--", "sh", "-c", probe]);
          return watch.text();
        },
        { timeout: 30_000 },
      )
      .toMatch(
        /box: dns refused\.example\.com - .*\n {2}cattlegrid policy allow box refused\.example\.com/,
      );
    watch.child.kill("SIGINT");
    await watch.finished;
    await yard.run(["rm", "--force", "box"]);
  });

  /** Runs script steps as a runner does, with the secret and where the simulated service is. */
  async function runSteps(steps: readonly string[], directory: string): Promise<Finished[]> {
    const environment = {
      ...yard.environment,
      PATH: `${join(ROOT, "bin")}:${join(process.execPath, "..")}:${process.env["PATH"]}`,
      KIRO_API_KEY: KEY,
      GITHUB_STEP_SUMMARY: join(yard.root, "summary.md"),
    };
    const finished: Finished[] = [];
    for (const step of steps) {
      const words = ["bash", "-e", "-o", "pipefail", "-c", step];
      const program = own(new RunningProgram(words, { environment, directory }));
      program.end();
      finished.push(await program.finished);
    }
    return finished;
  }

  function expectReview(finished: readonly Finished[], directory: string): void {
    expect(finished.map(({ exitCode }) => exitCode)).toEqual(finished.map(() => 0));
    const shown = finished.at(-1)?.stdout.toString();
    expect(shown).toContain("You said: Review the last commit for mistakes. Answer with a list.");
    expect(readFileSync(join(directory, "turn.jsonl"), "utf8")).not.toContain(KEY);
  }

  test("github-actions.yml runs a turn with a key, whose answer it shows", async () => {
    const file = readFileSync(join(EXAMPLES, "ci/github-actions.yml"), "utf8");
    const workflow = parse(file) as { jobs: { review: { steps: Step[] } } };
    const { steps } = workflow.jobs.review;
    expect(steps.find(({ name }) => name === "Review")?.env).toEqual({
      KIRO_API_KEY: "${{ secrets.KIRO_API_KEY }}",
    });
    const directory = join(yard.root, "github");
    mkdirSync(directory, { mode: 0o755 });
    // What the installing step brings is here: this checkout stands for the package.
    const scripts = steps.filter(({ name }) => name !== "Install").flatMap(({ run }) => run ?? []);
    expect(scripts).toHaveLength(3);
    expectReview(await runSteps(scripts, directory), directory);
    expect(readFileSync(join(yard.root, "summary.md"), "utf8")).toContain("Review the last commit");
    expect(await yard.sandboxes()).toEqual([]);
  });

  test("gitlab-ci.yml does the same", async () => {
    const file = readFileSync(join(EXAMPLES, "ci/gitlab-ci.yml"), "utf8");
    const pipeline = parse(file) as { "review-by-kiro": { script: string[] } };
    const directory = join(yard.root, "gitlab");
    mkdirSync(directory, { mode: 0o755 });
    const { script } = pipeline["review-by-kiro"];
    expectReview(await runSteps(script, directory), directory);
    expect(await yard.sandboxes()).toEqual([]);
  });
});
