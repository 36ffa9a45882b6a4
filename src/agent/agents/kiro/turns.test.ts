import { describe, expect, test } from "vitest";
import { turns } from "./turns.ts";

const CHAT = ["kiro-cli", "chat", "--no-interactive", "--trust-all-tools", "--agent-engine", "v1"];
const turn = { prompt: "hello", resume: false, version: "2.21.2" };

describe("a turn's command", () => {
  test("names the engine and gives the prompt as one argument after --", () => {
    expect(turns.command(turn)).toEqual({ argv: [...CHAT, "--", "hello"] });
  });

  test("resumes when it is told to", () => {
    expect(turns.command({ ...turn, resume: true }).argv).toEqual([
      ...CHAT,
      "--resume",
      "--",
      "hello",
    ]);
  });

  test.each(["--help", "-r", "--", "a\nb", "$(id) `id` \"'", "tab\there"])(
    "takes the prompt %j as it is",
    (prompt) => {
      expect(turns.command({ ...turn, prompt }).argv.slice(-2)).toEqual(["--", prompt]);
    },
  );

  test("gives 100 KiB as an argument, and one byte more by standard input", () => {
    const longest = "é".repeat(50 * 1024);
    expect(turns.command({ ...turn, prompt: longest }).inputBytes).toBeUndefined();
    const { argv, inputBytes } = turns.command({ ...turn, prompt: `${longest}!` });
    expect(argv).toEqual(CHAT);
    expect(Buffer.from(inputBytes ?? []).toString()).toBe(`${longest}!`);
  });
});

describe("a prompt", () => {
  test.each(["/usage", " /usage", "\n/quit", "!ls", "@saved words"])(
    "that Kiro takes for a command is refused: %j",
    (prompt) => {
      expect(() => turns.checkPrompt(prompt)).toThrow(
        expect.objectContaining({ code: "PROMPT_IS_COMMAND" }),
      );
    },
  );

  test.each(["what is /usage?", "-r", "./run", "#!", "mail me@example.com"])(
    "that only looks like one passes: %j",
    (prompt) => {
      expect(() => turns.checkPrompt(prompt)).not.toThrow();
    },
  );
});

describe("the newest conversation", () => {
  const id = "3f0cbd1e-0000-4000-8000-000000000001";
  const listed =
    `\u001B[1mChat SessionId: ${id}\u001B[0m\n  2 minutes ago | Chat SessionId: x | 2 msgs | v1\n` +
    "Chat SessionId: 3f0cbd1e-0000-4000-8000-000000000002\n  5 minutes ago | hi | 2 msgs | v1\n";
  const read = turns.conversation?.readId ?? (() => "absent");

  test("is read from stderr, where V1 lists", () => {
    expect(read({ exitCode: 0, stdout: "", stderr: listed })).toBe(id);
  });

  test("is read from stdout, where other builds do", () => {
    expect(read({ exitCode: 0, stdout: listed, stderr: "" })).toBe(id);
  });

  test("is unknown when there is none, or the listing fails", () => {
    expect(read({ exitCode: 0, stdout: "", stderr: "No saved sessions\n" })).toBeUndefined();
    expect(read({ exitCode: 1, stdout: listed, stderr: "" })).toBeUndefined();
  });
});
