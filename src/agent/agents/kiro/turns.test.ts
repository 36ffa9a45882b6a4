import { describe, expect, test } from "vitest";
import { turns } from "./turns.ts";

const CHAT = ["kiro-cli", "chat", "--no-interactive", "--trust-all-tools", "--agent-engine", "v1"];
const turn = { prompt: "hello", resume: false, version: "2.21.2", options: {} };

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

  test("resumes a chosen conversation where the version can, else the newest", () => {
    const resumed = { ...turn, resume: true, conversationId: "3f0c" };
    expect(turns.command(resumed).argv).toContain("--resume-id");
    expect(turns.command(resumed).argv).toContain("3f0c");
    expect(turns.command({ ...resumed, version: "2.1.9" }).argv).toContain("--resume");
  });

  test("names engine, model and configuration as one word each", () => {
    const options = { engine: "v2", model: "claude-sonnet-4", configuration: "kiro planner" };
    expect(turns.command({ ...turn, version: "3.1.0", options }).argv).toEqual([
      ...CHAT.slice(0, 4),
      "--v2",
      "--output-format",
      "stream-json",
      "--model=claude-sonnet-4",
      "--agent=kiro planner",
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
  const second = "3f0cbd1e-0000-4000-8000-000000000002";

  test("is the first on stderr, where V1 lists", () => {
    expect(read({ exitCode: 0, stdout: "", stderr: listed })).toBe(id);
  });

  test("is the first on stdout, where other builds do", () => {
    expect(read({ exitCode: 0, stdout: listed, stderr: "" })).toBe(id);
  });

  test("is unknown when there is none, or the listing fails", () => {
    expect(read({ exitCode: 0, stdout: "", stderr: "No saved sessions\n" })).toBeUndefined();
    expect(read({ exitCode: 1, stdout: listed, stderr: "" })).toBeUndefined();
  });

  test("need not be the one that is looked for", () => {
    const result = { exitCode: 0, stdout: "", stderr: listed };
    expect(turns.conversation?.lists?.(result, second)).toBe(true);
    expect(turns.conversation?.lists?.(result, "3f0c")).toBe(false);
  });
});

describe("an earlier conversation", () => {
  test.each([
    ["3f0c", { version: "2.21.2" }, true],
    ["3f0c", { version: "2.1.0" }, false],
    ["3f0c", { version: "3.1.0" }, false],
    ["v2:3f0c", { version: "3.1.0" }, true],
    ["v2:3f0c", { version: "3.1.0", options: { engine: "v3" } }, false],
    ["v3:3f0c", { version: "2.21.2", options: { engine: "v3" } }, true],
  ])("%s with %j can be gone on with: %s", (id, setup, can) => {
    expect(turns.canResume?.(id, setup)).toBe(can);
  });
});
