import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionEvent, TurnEvent } from "../../src/protocol/session.ts";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";

const FIXTURES = join(import.meta.dirname, "../fixtures/kiro");
const MARK = "\u001B[38;5;141m> \u001B[0m";

type ChatEvent = TurnEvent | Extract<SessionEvent, { type: "session-start" | "session-end" }>;

function readEvents(stdout: Buffer): ChatEvent[] {
  const lines = stdout.toString().split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => JSON.parse(line) as ChatEvent);
}

function bytesOf(events: readonly ChatEvent[], stream: "output" | "errors"): Buffer {
  return Buffer.concat(
    events.flatMap((event) =>
      event.type === "output-delta" && event.stream === stream
        ? [Buffer.from(event.bytes, "base64")]
        : [],
    ),
  );
}

function endsOf(events: readonly ChatEvent[]): (TurnEvent & { type: "turn-end" })[] {
  return events.filter((event) => event.type === "turn-end");
}

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("a scripted chat with Kiro"), () => {
  let yard: CommandLineYard;
  const named = ["--name", "chat"];
  beforeAll(async () => {
    yard = await CommandLineYard.open();
    await yard.run(["create", ...named, "kiro"]);
    await yard.run(["start", "chat"]);
  });
  afterAll(() => yard?.close());

  async function json(...words: string[]): Promise<ChatEvent[]> {
    return readEvents((await yard.chat([...named, "--output", "json", ...words])).stdout);
  }

  test("puts Kiro's own bytes on stdout, nothing before and nothing after", async () => {
    const prompt = "say: Red\\nBlue\\nYellow";
    const { exitCode, stdout, stderr } = await yard.chat([...named, "--prompt", prompt]);
    expect(exitCode).toBe(0);
    expect(stdout).toEqual(readFileSync(join(FIXTURES, "turn-success-v1.stdout")));
    expect(stderr.toString()).toMatch(
      /^All tools are now trusted[^]* ▸ Credits: \S+ • Time: \ds\n$/,
    );
  });

  test("resumes from the second turn on, and only then", async () => {
    const prompts = ["--prompt", "Remember my name is Ada.", "--prompt", "What is my name?"];
    const events = await json("--new", ...prompts);
    const starts = events.filter((event) => event.type === "turn-start");
    expect(starts.map(({ number, resumed }) => [number, resumed])).toEqual([
      [1, false],
      [2, true],
    ]);
    expect(endsOf(events).at(-1)).toMatchObject({ answer: "Your name is Ada." });
    const other = await json("--new", "--prompt", "What is my name?");
    expect(endsOf(other)[0]?.answer).not.toContain("Ada");
  });

  test("tells each event on a line of its own, the session's around the turns'", async () => {
    const events = await json("--prompt", "say: ä€𝄞\\e[1mbold\\e[0m");
    const types = events.map(({ type }) => type).filter((type) => type !== "output-delta");
    expect(types).toEqual(["session-start", "turn-start", "turn-end", "session-end"]);
    expect(bytesOf(events, "output").toString()).toBe(`${MARK}ä€𝄞\u001B[1mbold\u001B[0m`);
    const [start, end] = [events[0], events.at(-1)];
    expect(start).toMatchObject({
      session: { agent: "kiro", kind: "turns", owner: /^local:\d+$/ },
    });
    expect(end).toEqual({ type: "session-end", exitCode: 0 });
    expect(endsOf(events)[0]).toMatchObject({
      outcome: "succeeded",
      reason: null,
      answer: "ä€𝄞bold",
      agentExitCode: 0,
      exitCode: 0,
      durationMs: expect.any(Number),
    });
  });

  test("loses no byte of an answer that comes in single bytes, nor of redrawn lines", async () => {
    const split = await yard.chat([...named, "--prompt", "split: ä€𝄞 \u001B[1mbold\u001B[0m"]);
    expect(split.stdout.toString()).toBe(`${MARK}ä€𝄞 \u001B[1mbold\u001B[0m`);
    const redrawn = await yard.chat([...named, "--prompt", "redraw: Building"]);
    expect(redrawn.stdout.toString()).toBe(
      `${MARK}\rBuilding 10%\rBuilding 40%\rBuilding 70%\rBuilding 100%\nBuilding finished.`,
    );
  });

  test("loses no byte of 10 MB, nor of 1 MB told as events", async () => {
    const { stdout } = await yard.chat([...named, "--prompt", "flood: 10485760"]);
    expect(stdout.length).toBe(MARK.length + 10_485_760);
    const events = bytesOf(await json("--prompt", "flood: 1048576"), "output");
    expect(events.length).toBe(MARK.length + 1_048_576);
    expect(events.equals(stdout.subarray(0, events.length))).toBe(true);
  });

  test.each(["--help", "-r", "- a list", 'it\'s "quoted" $HOME $(id)', "two\nlines ü€𝄞"])(
    "takes the prompt %j as text",
    async (prompt) => {
      const events = await json(`--prompt=${prompt}`);
      expect(endsOf(events)[0]?.answer).toContain(`You said: ${prompt}`);
    },
  );

  test("takes a prompt of 200 KiB, on standard input as one line", async () => {
    const input = `my name is Zoe. ${"x".repeat(200 * 1024)}\nwhat is my name\n`;
    const { stdout, exitCode } = await yard.chat([...named, "--output", "json"], { input });
    expect(exitCode).toBe(0);
    expect(endsOf(readEvents(stdout)).at(-1)?.answer).toBe("Your name is Zoe.");
  });

  test.each([
    ["/quit", "PROMPT_IS_COMMAND"],
    ["  /usage", "PROMPT_IS_COMMAND"],
    ["@file", "PROMPT_IS_COMMAND"],
    ["!ls", "PROMPT_IS_COMMAND"],
    ["  ", "PROMPT_EMPTY"],
  ])("refuses the prompt %j before anything runs", async (prompt, code) => {
    const before = yard.cloud.requests.length;
    const { exitCode, stdout, stderr } = await yard.chat([...named, "--prompt", prompt]);
    expect([exitCode, stdout.toString()]).toEqual([125, ""]);
    expect(stderr.toString()).toContain(code);
    expect(yard.cloud.requests.length).toBe(before);
  });

  test("sends a slash command with --slash; what it prints proves no turn, and is shown", async () => {
    const slash = await yard.chat([...named, "--slash", "--prompt", "/usage"]);
    expect(slash.exitCode).toBe(120);
    expect(slash.stdout.toString()).toContain("Estimated Usage");
    expect(slash.stderr.toString()).toContain("It is not known whether the turn succeeded");
  });

  test("refuses input that is no UTF-8", async () => {
    const environment = { KIRO_API_KEY: "ksk_x" };
    const chat = yard.start(["chat", "kiro", "-e", "KIRO_API_KEY", ...named], { environment });
    chat.child.stdin?.end(Buffer.from([0x68, 0xff, 0xfe, 0x0a]));
    const { exitCode, stderr } = await chat.finished;
    expect(exitCode).toBe(125);
    expect(stderr.toString()).toContain("PROMPT_INVALID");
  });

  test.each([
    ["rate-limit", "rate limit"],
    ["overloaded", "trouble"],
    ["monthly-limit", "monthly"],
    ["expired-session", "expired"],
    ["model-unavailable", "unavailable"],
  ])("stops at a turn that the service refuses although Kiro says 0: %s", async (kind, reason) => {
    const prompts = ["--prompt", `fail: ${kind}`, "--prompt", "say: never"];
    const { exitCode, stdout, stderr } = await yard.chat([...named, ...prompts]);
    expect([exitCode, stdout.toString()]).toEqual([120, ""]);
    expect(stderr.toString()).toMatch(new RegExp(`cattlegrid: The turn failed: .*${reason}`));
  });

  test("fails with 120 when Kiro refuses the key although it says 0", async () => {
    const environment = { KIRO_API_KEY: "ksk_wrong" };
    const { exitCode, stdout, stderr } = await yard.chat([...named, "--prompt", "say: hi"], {
      environment,
    });
    expect([exitCode, stdout.toString()]).toEqual([120, ""]);
    expect(stderr.toString()).toContain("The turn failed: Kiro refused the API key.");
    expect(stderr.toString()).not.toContain("ksk_wrong");
  });

  test("ends with 124 at a turn's deadline", async () => {
    const words = [...named, "--turn-timeout", "2s", "--prompt", "silence: 300"];
    expect((await yard.chat(words)).exitCode).toBe(124);
    expect(await yard.inside("chat", "pgrep -f kiro-cli-cha[t]; echo end")).toBe("end\n");
  });

  test("goes on after a turn that an earlier script ended with failure", async () => {
    const { stdout } = await yard.chat([...named, "--prompt", "say: well again"]);
    expect(stdout.toString()).toBe(`${MARK}well again`);
  });
});
