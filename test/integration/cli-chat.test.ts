import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type KiroCloud, startKiroCloud } from "../../simulator/cloud/cloud.ts";
import { collect, CommandLine, type CommandResult } from "../support/command-line.ts";
import { allOf, program } from "../support/requirement.ts";
import { Screen } from "../support/screen.ts";
import { join } from "node:path";

const needs = allOf(program("crun"), program("curl"), program("unzip"), program("tmux"));
const KEY = { KIRO_API_KEY: "ksk_simulated" };

describe.skipIf(!needs.met)(
  needs.title("a chat on the command line, with a simulated service"),
  () => {
    let cli: CommandLine;
    let cloud: KiroCloud;

    beforeAll(async () => {
      cli = new CommandLine();
      const directory = join(cli.directory, "cloud");
      cloud = await startKiroCloud({ directory, approval: "auto" });
      cli.environment["CATTLEGRID_MIRRORS"] = cloud.mirrors;
      cli.environment["CATTLEGRID_MIRROR_CA"] = cloud.authorityPath;
      await cli.run(["run", "kiro", "--name", "known", "--", "--version"]);
    });
    afterAll(async () => {
      await cli.close();
      await cloud[Symbol.asyncDispose]();
    });

    async function names(): Promise<string[]> {
      const { stdout } = await cli.run(["ls", "--json"]);
      const { sandboxes } = JSON.parse(stdout) as { sandboxes: { name: string }[] };
      return sandboxes.map(({ name }) => name);
    }
    const chat = (...argv: readonly string[]): Promise<CommandResult> =>
      cli.run(["chat", "kiro", "-e", "KIRO_API_KEY", ...argv], { environment: KEY });

    // eslint-disable-next-line vitest/no-standalone-expect
    afterEach(async () => expect(await names()).toEqual(["known"]));

    describe("in a script", () => {
      test("prints what the agent writes and nothing else, and leaves no sandbox", async () => {
        const { code, stdout } = await chat("--prompt", "say: one");
        expect([code, stdout]).toEqual([0, "\u001b[38;5;141m> \u001b[0mone"]);
      });

      test("takes each line of standard input as a prompt of one conversation", async () => {
        const argv = ["chat", "kiro", "-e", "KIRO_API_KEY"];
        const input = "My name is Ada.\r\n\nWhat is my name?";
        const { code, stdout } = await cli.run(argv, { input, environment: KEY });
        expect([code, stdout.split("> ").length]).toEqual([0, 3]);
        expect(stdout).toMatch(/Ada[^>]*$/);
      });

      test("stops at the first turn that does not succeed, with its status", async () => {
        const prompts = ["say: one", "fail: rate-limit", "say: never"];
        const { code, stdout, stderr } = await chat(
          ...prompts.flatMap((text) => ["--prompt", text]),
        );
        expect([code, stdout.includes("one"), stdout.includes("never")]).toEqual([
          120,
          true,
          false,
        ]);
        expect(stderr).toContain("cattlegrid: The turn failed: ");
      });

      test("writes one event per line with --output json", async () => {
        const { stdout } = await chat("--output", "json", "--prompt", "say: grün");
        const events = stdout
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as { type: string });
        const types = events.map(({ type }) => type);
        expect([types[0], types[1], types.at(-2), types.at(-1)]).toEqual([
          "session-start",
          "turn-start",
          "turn-end",
          "session-end",
        ]);
        expect(events.at(-2)).toMatchObject({ outcome: "succeeded", answer: "grün", exitCode: 0 });
      });

      test("is refused when nobody is signed in and nobody could", async () => {
        const result = await cli.run(["chat", "kiro", "--prompt", "say: one"]);
        expect([result.code, result.stdout]).toEqual([121, ""]);
        expect(result.stderr).toContain("code: AGENT_NOT_SIGNED_IN");
      });

      test.each([
        ["bytes that are no text", "say: one\n\u00ff\n", "PROMPT_INVALID"],
        ["nothing", "\n\n", "PROMPT_EMPTY"],
      ])("refuses %s before anything runs", async (_title, text, code) => {
        const input = Buffer.from(text, "latin1");
        const result = await cli.run(["chat", "kiro"], { input });
        expect([result.code, result.stdout]).toEqual([125, ""]);
        expect(result.stderr).toMatch(new RegExp(`^cattlegrid: [^\n]+\n {2}code: ${code}\n`));
      });

      test.each([
        ["SIGINT", 130],
        ["SIGTERM", 143],
        ["SIGHUP", 129],
        ["SIGKILL", 137],
      ] as const)("%s ends the chat and removes its sandbox", async (signal, status) => {
        const argv = ["chat", "kiro", "-e", "KIRO_API_KEY", "--prompt", "silence: 60"];
        const child = cli.spawn([...argv, "--output", "json"], { environment: KEY });
        const result = collect(child);
        let shown = "";
        while (!shown.includes("turn-start")) {
          shown += String((await once(child.stdout!, "data")) as [Buffer]);
        }
        expect(await names()).toHaveLength(2);
        child.kill(signal);
        expect((await result).code).toBe(status);
        await expect.poll(names, { timeout: 10_000 }).toEqual(["known"]);
      });
    });

    describe("in mode overlay, before its sandbox goes", () => {
      const PROMPT =
        "run: echo theirs > a; echo new > b; mkdir -p .vscode; echo {} > .vscode/tasks.json";
      const at = (path: string): string => join(cli.workspace, path);
      beforeEach(() => writeFileSync(at("a"), "old\n"));
      afterEach(() => {
        for (const path of ["a", "b", ".vscode"])
          rmSync(at(path), { recursive: true, force: true });
      });

      test("lists what goes with it, beside what the agent writes, and names --keep", async () => {
        const { code, stdout, stderr } = await chat("--mode", "overlay", "--prompt", PROMPT);
        expect([code, stdout.includes("not in your files")]).toEqual([0, false]);
        expect(stderr).toMatch(
          /\n \.vscode\/tasks\.json \| added {4}1 \+ {2}held\n a .*\n b .*\n 3 paths/,
        );
        expect(stderr).toContain("With --keep it stays, for `diff` and `apply`.");
        expect([readFileSync(at("a"), "utf8"), existsSync(at("b"))]).toEqual(["old\n", false]);
      });

      test("lists it after a prompt that was refused as well", async () => {
        const prompts = ["--prompt", "run: echo new > b", "--prompt", "/quit"];
        const { code, stderr } = await chat("--mode", "overlay", ...prompts);
        expect(code).toBe(125);
        expect(stderr).toMatch(
          /\n b \| [^]* 1 line added, 0 removed\n[^]*--keep[^]*code: PROMPT_IS_COMMAND/,
        );
      });

      test("offers a person to apply it, and asks again after a refusal", async () => {
        using screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
        const words = cli.quote("chat", "kiro", "--mode", "overlay", "-e", "KIRO_API_KEY");
        screen.enter(`clear; KIRO_API_KEY=${KEY.KIRO_API_KEY} ${words}; echo "status=$?"`);
        await screen.shows(/(^|\n)> ?$/);
        screen.enter(PROMPT);
        await screen.shows(/Credits[^]*\n> ?$/);
        screen.press("C-d");
        await screen.shows(/3 paths changed[^]*Apply them before the sandbox goes\?[^]*● yes/);
        writeFileSync(at("a"), "mine\n");
        screen.press("Enter");
        await screen.shows(/code: CHANGES_CONFLICT[^]*● only what does not conflict/);
        expect(existsSync(at("b"))).toBe(false);
        screen.press("Enter");
        await screen.shows(/added b\n[^]*held back[^]*they go with the sandbox[^]*status=0/);
        expect([readFileSync(at("a"), "utf8"), readFileSync(at("b"), "utf8")]).toEqual([
          "mine\n",
          "new\n",
        ]);
        expect(existsSync(at(".vscode/tasks.json"))).toBe(false);
      });
    });

    test("keeps its sandbox when the last question is left with Ctrl+C", async () => {
      using screen = new Screen({ cwd: cli.workspace, environment: cli.environment });
      const words = cli.quote("chat", "kiro", "--mode", "overlay", "-e", "KIRO_API_KEY");
      screen.enter(`clear; KIRO_API_KEY=${KEY.KIRO_API_KEY} ${words}; echo "status=$?"`);
      await screen.shows(/(^|\n)> ?$/);
      screen.enter("run: echo new > b");
      await screen.shows(/Credits[^]*\n> ?$/);
      screen.press("C-d");
      await screen.shows("Apply them before the sandbox goes?");
      screen.press("C-c");
      await screen.shows(/nothing is lost: (\S+) stays[^]*status=130/);
      const [kept = ""] = (await names()).filter((name) => name !== "known");
      expect(screen.text()).toContain(`nothing is lost: ${kept} stays`);
      const { stdout } = await cli.run(["diff", kept]);
      expect(stdout).toContain("+new");
      await cli.run(["rm", "--force", kept]);
    });

    describe("with a person", () => {
      const open = (): Screen => new Screen({ cwd: cli.workspace, environment: cli.environment });
      const PROMPT = /(^|\n)> ?$/;

      test("signs in, cancels a turn, keeps what is typed meanwhile, and ends with Ctrl+D", async () => {
        using screen = open();
        screen.enter(`clear; ${cli.quote("chat", "kiro")}; echo "status=$?"`);
        await screen.shows("Select login method");
        screen.press("Enter");
        await screen.shows(/Open https:\/\/view\.awsapps\.com\/\S+\n {2}code: [A-Z]{4}-[A-Z]{4}/);
        await screen.shows(PROMPT);
        screen.enter("My name is Ada.");
        await screen.shows(/Ada[^]*Credits[^]*\n> ?$/);
        screen.enter("silence: 60");
        await screen.shows(/silence: 60\nAll tools/);
        screen.enter("What is my name?");
        screen.press("C-c");
        await screen.shows("The turn was cancelled.");
        await screen.shows(/> What is my name\?\n[^]*> [^\n]*Ada[^]*\n> ?$/);
        screen.press("C-d");
        await screen.shows("status=0");
      });

      test("a second Ctrl+C ends it, while idle after a hint", async () => {
        using screen = open();
        const environment = `KIRO_API_KEY=${KEY.KIRO_API_KEY}`;
        screen.enter(
          `clear; ${environment} ${cli.quote("chat", "kiro", "-e", "KIRO_API_KEY")}; echo "status=$?"`,
        );
        await screen.shows(PROMPT);
        screen.type("half a prompt");
        screen.press("C-c");
        await screen.shows(/Press Ctrl\+C again, or Ctrl\+D, to end the chat\.\n> ?$/);
        screen.press("C-c");
        await screen.shows("status=0");
      });

      test("a closed terminal ends it", async () => {
        {
          using screen = open();
          const environment = `KIRO_API_KEY=${KEY.KIRO_API_KEY}`;
          screen.enter(`clear; ${environment} ${cli.quote("chat", "kiro", "-e", "KIRO_API_KEY")}`);
          await screen.shows(PROMPT);
        }
        await expect.poll(names, { timeout: 10_000 }).toEqual(["known"]);
      });

      test("a login that ran alone is there for the next chat and the next sandbox, until logout", async () => {
        const login = [
          "run",
          "--name",
          "known",
          "--",
          "login",
          "--use-device-flow",
          "--license",
          "free",
        ];
        expect((await cli.run(login)).stdout).toContain("Logged in successfully");
        const again = ["chat", "--name", "known", "--prompt", "say: signed in"];
        expect(await cli.run(again)).toMatchObject({ code: 0 });
        await cli.run(["rm", "known"]);
        const fresh = ["chat", "kiro", "--name", "known", "--prompt", "say: x"];
        expect(await cli.run(fresh)).toMatchObject({ code: 0 });
        await cli.run(["logout", "kiro"]);
        expect(await cli.run(fresh)).toMatchObject({ code: 121 });
      });
    });
  },
);
