import { describe, expect, test } from "vitest";
import type { TurnJudgement } from "../../agent.ts";
import { judge } from "./judgement.ts";

const MARK = "\u001B[38;5;141m> \u001B[0m";
const TRUSTED =
  "\u001B[33mAll tools are now trusted (!). Kiro will execute tools without asking for confirmation.\u001B[0m\n" +
  "Agents can sometimes do unexpected things so understand the risks.\n\n" +
  "Learn more at https://kiro.dev/docs/cli/chat/security/#using-tools-trust-all-safely\n";
const CREDITS = "\u001B[2m ▸ Credits: 0.06 • Time: 4s\u001B[0m\n";

interface Turn {
  exitCode?: number | null;
  stdout?: string | Buffer;
  stderr?: string | Buffer;
  version?: string;
}

function judgeTurn({
  exitCode = 0,
  stdout = "",
  stderr = "",
  version = "2.21.2",
}: Turn): TurnJudgement {
  const output = { stdout: Buffer.from(stdout as string), stderr: Buffer.from(stderr as string) };
  return judge({ exitCode, ...output, version, options: {} });
}

describe("a turn succeeded", () => {
  test("with status 0, an answer and the credits line", () => {
    const stdout = `${MARK}Red\n\u001B[1mBlue\u001B[22m\nYellow`;
    expect(judgeTurn({ stdout, stderr: TRUSTED + CREDITS })).toEqual({
      outcome: "succeeded",
      answer: "Red\nBlue\nYellow",
    });
  });

  test.each([
    ["the older mark", "\u001B[m> \u001B[0mHello"],
    ["a mark without colour", "> Hello"],
    ["lines that end in CR LF", `\r\n${MARK}Hello\r\n`],
    ["a spinner drawn over", `\r⠋ Thinking...\r⠙ Thinking...\u001B[2K\r${MARK}Hello`],
    ["a marker that looks like a launcher's", `__DAYTONA_KIRO_READY__\r\n${MARK}Hello`],
  ])("with %s", (_title, stdout) => {
    expect(judgeTurn({ stdout, stderr: CREDITS })).toEqual({
      outcome: "succeeded",
      answer: "Hello",
    });
  });

  test("with a long time and warnings before it", () => {
    const stderr =
      "Not all mcp servers loaded. Configure non-interactive timeout with q settings mcp.noInteractiveTimeout\n" +
      " ▸ Credits: 12.5 • Time: 1m 11s\n";
    expect(judgeTurn({ stdout: `${MARK}ok`, stderr }).outcome).toBe("succeeded");
  });

  test("when it is the answer that speaks of failures", () => {
    const stdout = `${MARK}The log says: Monthly request limit reached\nerror: You are not logged in`;
    expect(judgeTurn({ stdout, stderr: CREDITS }).outcome).toBe("succeeded");
  });

  test("with tools, whose output is no part of the answer", () => {
    const stdout =
      `${MARK}I look first.\nI will run the following command: npm test (using tool: shell)\n` +
      "Purpose: Run the unit tests\n\n42 passed\n> quoted\n - Completed in 0.4s\n\n" +
      `${MARK}All 42 tests pass.\n> as you hoped`;
    expect(judgeTurn({ stdout, stderr: CREDITS })).toMatchObject({
      answer: "All 42 tests pass.\n> as you hoped",
    });
  });

  test("when a tool was the last thing it did", () => {
    const stdout =
      `${MARK}Writing it.\nI'll create the following file: hello.txt (using tool: write)\n` +
      "+    1: hello\nCreating: hello.txt\n - Completed in 0.0s\n";
    expect(judgeTurn({ stdout, stderr: CREDITS })).toMatchObject({
      outcome: "succeeded",
      answer: "Writing it.",
    });
  });

  test("with 10 MB of output that is not UTF-8", () => {
    const noise = Buffer.alloc(10 * 1024 * 1024, Buffer.from([0xff, 0xfe, 0x0a, 0x1b, 0x5b]));
    const stdout = Buffer.concat([noise, Buffer.from(`\n${MARK}Hello`)]);
    expect(judgeTurn({ stdout, stderr: CREDITS })).toEqual({
      outcome: "succeeded",
      answer: "Hello",
    });
  });
});

describe("a turn failed although the status is 0:", () => {
  test.each([
    ["a refused API key", "Authentication failed. Check KIRO_API_KEY.\n", "API key"],
    [
      "the rate limit",
      " ⚠️  Kiro rate limit reached:\n    Request quota exceeded. Please wait a moment and try again.\n",
      "rate limit",
    ],
    ["an overloaded service", "Kiro is having trouble responding right now: 500\n", "trouble"],
    [
      "a model that is away",
      "The model you've selected is temporarily unavailable. Please relaunch with '--model <model_id>' to use a different model.\n",
      "model",
    ],
    ["the monthly limit", "Monthly request limit reached\nThe limits reset on 12/01.\n", "monthly"],
    [
      "a sign-in that has expired",
      "Authentication Error\nYour login session has expired. Please log in again using:\n    kiro-cli login\n",
      "expired",
    ],
    [
      "a tool nobody could approve",
      "Command execute_bash is rejected because it matches one or more rules on the denied list:\n  - non-interactive mode (no user to approve)\n",
      "tool",
    ],
    ["nothing at all", "", "without doing anything"],
    ["the banner alone", TRUSTED, "without doing anything"],
  ])("%s", (_title, stderr, reason) => {
    const judged = judgeTurn({ stderr });
    expect(judged).toMatchObject({ outcome: "failed", answer: "" });
    expect(judged).toHaveProperty("reason", expect.stringContaining(reason));
  });

  test("a limit reached after part of the answer, and a model that ran", () => {
    const stderr = ` ⚠️  Kiro rate limit reached:\n${CREDITS}`;
    expect(judgeTurn({ stdout: `${MARK}I begin`, stderr })).toMatchObject({
      outcome: "failed",
      answer: "I begin",
    });
  });

  test("a failure in colour", () => {
    const stderr = "\u001B[31mMonthly request limit \u001B[1mreached\u001B[0m\n";
    expect(judgeTurn({ stderr }).outcome).toBe("failed");
  });

  test("a refused tool about which the agent then talks", () => {
    const stderr = `  - non-interactive mode (no user to approve)\n${CREDITS}`;
    expect(judgeTurn({ stdout: `${MARK}I could not.`, stderr }).outcome).toBe("failed");
  });
});

describe("a turn failed with the agent's own status", () => {
  test.each([
    [1, "error: Model 'x' does not exist. Available models: auto\n", "Model 'x' does not exist"],
    [1, "", "Kiro CLI failed"],
    [2, "error: unexpected argument '--nope' found\n\nUsage: kiro-cli-chat chat\n", "unexpected"],
    [3, "", "MCP server"],
    [4, "", "did not find the agent"],
    [101, "", "exit status 101"],
    [1, "error: You are not logged in, please log in with kiro-cli login\n", "not signed in"],
    [
      1,
      "Failed to open browser for authentication.\nPlease try again with: kiro-cli login --use-device-flow\nerror: No such file or directory (os error 2)\n",
      "not signed in",
    ],
    [1, "error: Tool approval required but --no-interactive was specified.\n", "tool"],
  ])("%s: %j", (exitCode, stderr, reason) => {
    const judged = judgeTurn({ exitCode, stderr: TRUSTED + stderr });
    expect(judged).toMatchObject({ outcome: "failed" });
    expect(judged).toHaveProperty("reason", expect.stringContaining(reason));
  });

  test("or a signal", () => {
    expect(judgeTurn({ exitCode: null, stdout: `${MARK}Hel`, stderr: CREDITS })).toEqual({
      outcome: "failed",
      reason: "Kiro CLI was ended by a signal.",
      answer: "Hel",
    });
  });

  test("even with an answer and the credits line", () => {
    const judged = judgeTurn({ exitCode: 1, stdout: `${MARK}done`, stderr: CREDITS });
    expect(judged).toMatchObject({ outcome: "failed", answer: "done" });
  });

  test("having asked for a login on stdout", () => {
    const stdout = "\nConfirm the following code in the browser\nCode: ABCD-EFGH\n";
    expect(judgeTurn({ exitCode: 1, stdout })).toHaveProperty(
      "reason",
      expect.stringContaining("not signed in"),
    );
  });
});

describe("a turn is unknown, never a success,", () => {
  test("with an answer but no credits line", () => {
    expect(judgeTurn({ stdout: `${MARK}Hello` })).toMatchObject({
      outcome: "unknown",
      answer: "Hello",
    });
  });

  test("with a credits line that the answer shows instead of stderr", () => {
    expect(judgeTurn({ stdout: `${MARK}Hello\n ▸ Credits: 1 • Time: 4s\n` }).outcome).toBe(
      "unknown",
    );
  });

  test("with a credits line but no answer", () => {
    expect(judgeTurn({ stdout: "\n", stderr: CREDITS }).outcome).toBe("unknown");
  });

  test("with a slash command's box", () => {
    const stdout =
      "Estimated Usage | resets on 12/01 | KIRO FREE\nCredits (3 of 50 covered in plan)\n";
    expect(judgeTurn({ stdout }).outcome).toBe("unknown");
  });
});

describe("version 3, whose text is plain,", () => {
  test("succeeds with an answer and the credits line", () => {
    const turn = { stdout: "Hello\n", stderr: CREDITS, version: "3.2.0" };
    expect(judgeTurn(turn)).toEqual({ outcome: "succeeded", answer: "Hello" });
  });

  test("is unknown without that line", () => {
    expect(judgeTurn({ stdout: "Hello\n", version: "3.2.0" }).outcome).toBe("unknown");
  });
});
