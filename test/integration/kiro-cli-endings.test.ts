import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLineYard, KEY } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import type { RunningProgram } from "../support/running-program.ts";

const NEEDS = allOf(KIRO_NEEDS, program("script"));
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const ENVIRONMENT = { KIRO_API_KEY: KEY };
const CHAT = ["chat", "kiro", "-e", "KIRO_API_KEY"];
/** The prompt, with the line editor's own sequences around it. */
const READY = /> \u001B\[3G$/;
/** Kiro has begun with a turn. */
const BEGUN = /All tools are now trusted/;
const SOON = { timeout: 20_000, interval: 50 };

describe.skipIf(!NEEDS.met)(NEEDS.title("a chat on a terminal"), () => {
  let yard: CommandLineYard;
  beforeAll(async () => {
    yard = await CommandLineYard.open();
    // So that no test waits for the installation.
    await yard.run(["run", "kiro", "--name", "named", "--", "--version"]);
  });
  afterAll(() => yard?.close());

  async function ephemeral(): Promise<string[]> {
    const sandboxes = await yard.sandboxes();
    return sandboxes.filter((sandbox) => sandbox.ephemeral).map(({ name }) => name);
  }

  async function open(...words: string[]): Promise<RunningProgram> {
    const command = ["cattlegrid", ...CHAT, ...words].join(" ");
    const script = `echo "before $(stty -g)"; ${command}; echo "status=$?"; echo "after $(stty -g)"`;
    const chat = yard.startInTerminal(script, { environment: ENVIRONMENT });
    await chat.until(READY);
    return chat;
  }

  /** Types a prompt and resolves at the next one. */
  async function ask(chat: RunningProgram, prompt: string, answer: RegExp): Promise<void> {
    const start = chat.text().length;
    chat.write(`${prompt}\r`);
    await chat.until(new RegExp(`${answer.source}[^]*${READY.source}`), start);
  }

  async function begin(chat: RunningProgram, prompt: string): Promise<void> {
    const start = chat.text().length;
    chat.write(`${prompt}\r`);
    await chat.until(BEGUN, start);
  }

  async function expectEnded(chat: RunningProgram, status: number): Promise<void> {
    const { text } = await chat.finished;
    expect(text).toContain(`status=${status}`);
    expect(/after (\S+)/.exec(text)?.[1]).toBe(/before (\S+)/.exec(text)?.[1]);
    expect(await ephemeral()).toEqual([]);
  }

  test("Ctrl+C cancels a turn and keeps the conversation; Ctrl+D ends the chat", async () => {
    const chat = await open();
    await ask(chat, "Remember my name is Ada.", /Nice to meet you, Ada/);
    await begin(chat, "silence: 300");
    const start = chat.text().length;
    chat.write(CTRL_C);
    await chat.until(new RegExp(`The turn was cancelled[^]*${READY.source}`), start);
    await ask(chat, "What is my name?", /Your name is Ada\./);
    chat.write(CTRL_D);
    await expectEnded(chat, 0);
  });

  test("a second Ctrl+C during a turn ends the chat", async () => {
    const chat = await open();
    await begin(chat, "silence: 300");
    chat.write(CTRL_C);
    chat.write(CTRL_C);
    await expectEnded(chat, 0);
  });

  test("Ctrl+C at the prompt asks, and a second one ends the chat", async () => {
    const chat = await open();
    chat.write(`half a line${CTRL_C}`);
    await chat.until(new RegExp(`Press Ctrl\\+C again[^]*${READY.source}`));
    chat.write(CTRL_C);
    await expectEnded(chat, 0);
  });

  test("Ctrl+D during a turn ends the chat after it", async () => {
    const chat = await open();
    await begin(chat, "run: sleep 0.5; echo over");
    chat.write(CTRL_D);
    await expectEnded(chat, 0);
  });

  test("lines that are typed during a turn are the next prompts", async () => {
    const chat = await open();
    await begin(chat, "run: sleep 0.5");
    chat.write("Remember my name is Zoe.\rWhat is my name?\r");
    await chat.until(new RegExp(`Nice to meet you, Zoe[^]*Your name is Zoe\\.[^]*${READY.source}`));
    chat.write(CTRL_D);
    await expectEnded(chat, 0);
  });

  test("a chat with --name keeps its sandbox, and one with --keep too", async () => {
    const named = await open("--name", "named");
    named.write(CTRL_D);
    await expectEnded(named, 0);
    const kept = await open("--keep");
    kept.write(CTRL_D);
    await expectEnded(kept, 0);
    expect((await yard.sandboxes()).map(({ name }) => name)).toEqual([
      "named",
      expect.stringMatching(/^kiro-work-[0-9a-f]{6}$/),
    ]);
  });

  test.each(["at the prompt", "in a turn"])("a closed terminal ends a chat %s", async (where) => {
    const chat = await open();
    if (where === "in a turn") await begin(chat, "silence: 300");
    chat.child.kill("SIGKILL");
    await chat.finished;
    await expect.poll(ephemeral, SOON).toEqual([]);
  });
});

describe.skipIf(!NEEDS.met)(NEEDS.title("a chat in a script"), () => {
  let yard: CommandLineYard;
  beforeAll(async () => {
    yard = await CommandLineYard.open();
    await yard.run(["run", "kiro", "--name", "named", "--", "--version"]);
  });
  afterAll(() => yard?.close());

  async function begin(): Promise<RunningProgram> {
    const chat = yard.start([...CHAT, "--prompt", "silence: 300"], { environment: ENVIRONMENT });
    await chat.until(BEGUN);
    expect((await yard.sandboxes()).filter(({ ephemeral }) => ephemeral).length).toBe(1);
    return chat;
  }

  const left = async (): Promise<string[]> => (await yard.sandboxes()).map(({ name }) => name);

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("%s ends it and its sandbox, and it exits %i", async (signal, exitCode) => {
    const chat = await begin();
    chat.child.kill(signal);
    expect(await chat.finished).toMatchObject({ exitCode });
    expect(await left()).toEqual(["named"]);
  });

  test("a crash of the command line ends its sandbox", async () => {
    const chat = await begin();
    chat.child.kill("SIGKILL");
    await chat.finished;
    await expect.poll(left, SOON).toEqual(["named"]);
  });

  test("a crash of the daemon is told with 125, and its sandbox is gone at the next start", async () => {
    const chat = await begin();
    process.kill(yard.daemonPid, "SIGKILL");
    const { exitCode, stderr } = await chat.finished;
    expect(exitCode).toBe(125);
    expect(stderr.toString()).toContain("DAEMON_UNREACHABLE");
    await expect.poll(left, SOON).toEqual(["named"]);
  });

  test("a reader that goes away ends it", async () => {
    const prompt = "'flood: 104857600'";
    const script = `cattlegrid ${CHAT.join(" ")} --prompt ${prompt} 2>/dev/null | head -c 5 | wc -c`;
    const { text } = await yard.startInTerminal(script, { environment: ENVIRONMENT }).finished;
    expect(text.trim()).toBe("5");
    await expect.poll(left, SOON).toEqual(["named"]);
  });
});
