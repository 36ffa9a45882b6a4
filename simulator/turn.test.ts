import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRig } from "./rig.ts";
import type { Finished, Rig } from "./rig.ts";

const HEADLESS = ["chat", "--no-interactive", "--trust-all-tools"];
const MARK = "\u001b[38;5;141m> \u001b[0m";
const BANNER = `All tools are now trusted (!). Kiro will execute tools without asking for confirmation.
Agents can sometimes do unexpected things so understand the risks.

Learn more at https://kiro.dev/docs/cli/chat/security/#using-tools-trust-all-safely
`;
const TRAILER = / ▸ Credits: \d+\.\d\d • Time: \d+s\n$/;

describe("a signed-in stand-in", () => {
  let rig: Rig;
  const turn = (prompt: string, ...more: string[]): Promise<Finished> =>
    rig.run([...HEADLESS, ...more, "--", prompt]);

  beforeAll(async () => {
    rig = await createRig();
    await rig.signIn();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  test("answers with colours into a pipe, no last newline, and credits on stderr", async () => {
    const { exitCode, stdout, stderr } = await turn("say: Red\\nBlue\\nYellow");
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${MARK}Red\nBlue\nYellow` });
    expect(stderr.startsWith(BANNER)).toBe(true);
    expect(stderr).toMatch(TRAILER);
  });

  test("a global option before chat reaches the sibling program", async () => {
    expect(await rig.run(["-v", "chat", "--no-interactive", "say: hello"])).toMatchObject({
      exitCode: 0,
      stdout: `${MARK}hello`,
    });
  });

  test("takes the prompt from stdin when there is no argument", async () => {
    const { stdout } = await rig.run(["chat", "--no-interactive"], { input: " say: piped\n" });
    expect(stdout).toBe(`${MARK}piped`);
  });

  test("renders bold, code and fences as they stream", async () => {
    const { stdout } = await turn("say: **bold** and `code`\\n```js\\nlet a = 2 ** 3;\\n```\\nend");
    expect(stdout).toBe(
      `${MARK}\u001b[1mbold\u001b[22m and \u001b[38;5;10mcode\u001b[39m\n` +
        "js\nlet a = 2 ** 3;\n\nend",
    );
  });

  test("writes, reads and runs for real, in the words of the V1 engine", async () => {
    const { exitCode, stdout } = await turn(
      "write hello.txt: hello\\n\nread hello.txt\nrun: cat hello.txt; echo two >&2\nsay: ready",
    );
    expect(exitCode).toBe(0);
    expect(stdout.replace(/\d+\.\d+s/g, "0.0s")).toBe(
      "I'll create the following file: hello.txt (using tool: write)\n" +
        "Purpose: Asked for\n\n+    1: hello\nCreating: hello.txt\n - Completed in 0.0s\n\n" +
        "Reading file: hello.txt, all lines (using tool: read)\n" +
        " ✓ Successfully read 6 bytes from hello.txt\n - Completed in 0.0s\n\n" +
        "I will run the following command: cat hello.txt; echo two >&2 (using tool: shell)\n" +
        "Purpose: Asked for by the prompt\n\nhello\ntwo\n - Completed in 0.0s\n\n" +
        `${MARK}ready`,
    );
    expect(await readFile(join(rig.workspace, "hello.txt"), "utf8")).toBe("hello\n");
  });

  test("reads several files as a batch and says which failed", async () => {
    await writeFile(join(rig.workspace, "a.ts"), "a");
    const { stdout } = await turn("read a.ts absent.ts");
    expect(stdout).toContain(
      "Batch fs_read operation with 2 operations (using tool: read)\n" +
        "↱ Operation 1: Reading file: a.ts, all lines\n ⋮\n" +
        "↱ Operation 2: Reading file: absent.ts, all lines\n ⋮\n" +
        " - Summary: 2 operations processed, 1 successful, 1 failed\n",
    );
  });

  test("draws a donut of at most 80 by 24 with a program it wrote", async () => {
    const { stdout } = await turn("Please draw a donut");
    const picture = /Purpose: Show the torus\n\n([^]*?) - Completed/.exec(stdout)?.[1] ?? "";
    const lines = picture.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(18);
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(picture).toMatch(/^[ .,\-~:;=!*#$@\n]+$/);
    expect(new Set(picture.replace(/\s/g, "")).size).toBe(12);
    expect(await readFile(join(rig.workspace, "donut.js"), "utf8")).toContain("torus");
  });

  test("an untrusted tool is denied with 0, or with 1 where the older profile says so", async () => {
    const words = ["chat", "--no-interactive", "--", "run: touch made-anyway"];
    const denied = await rig.run(words);
    expect(denied.exitCode).toBe(0);
    expect(denied.stderr).toContain(
      "Command execute_bash is rejected because it matches one or more rules on the denied list:\n" +
        "  - non-interactive mode (no user to approve)\n",
    );
    const older = await rig.run(words, { environment: { FAKE_KIRO_UNTRUSTED: "exit" } });
    expect(older.exitCode).toBe(1);
    expect(older.stderr).toContain("error: Tool approval required but --no-interactive");
    await expect(readFile(join(rig.workspace, "made-anyway"))).rejects.toThrow("ENOENT");
    const trusted = await rig.run(["chat", "--no-interactive", "--trust-tools=shell", words[3]!]);
    expect(trusted.stderr).not.toContain("rejected");
  });

  test.for([
    ["rate-limit", " ⚠️  Kiro rate limit reached:\n    Request quota exceeded. Please wait"],
    ["overloaded", "Kiro is having trouble responding right now: "],
    ["model-unavailable", "The model you've selected is temporarily unavailable. Please relaunch"],
    ["disconnect", "Kiro is having trouble responding right now: "],
    [
      "expired-session",
      "Authentication Error\nYour login session has expired. Please log in again using:\n    kiro-cli login\n",
    ],
  ] as const)("%s is told on stderr and ends with 0 and no credits", async ([failure, text]) => {
    const { exitCode, stderr } = await turn(`fail: ${failure}`);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(text);
    expect(stderr).not.toMatch(TRAILER);
  });

  test("the monthly limit names the day it ends", async () => {
    const { exitCode, stdout, stderr } = await turn("fail: monthly-limit");
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
    expect(stderr).toMatch(/Monthly request limit reached\nThe limits reset on \d\d\/01\.\n$/);
  });

  test("a failure can come from the cloud as a whole", async () => {
    rig.cloud.setFailure("overloaded");
    const { stderr } = await turn("say: hello");
    rig.cloud.setFailure(undefined);
    expect(stderr).toContain("Kiro is having trouble responding right now: ");
  });

  test("/usage is a command, not a prompt", async () => {
    const { exitCode, stdout, stderr } = await turn("/usage");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/Estimated Usage \| resets on \d\d\/01 \| KIRO FREE/);
    expect(stdout).toMatch(/Credits \(\d+\.\d\d of 50 covered in plan\)/);
  });

  test("ten megabytes arrive whole", async () => {
    const { stdout } = await turn("flood: 10000000");
    expect(stdout.length).toBe(MARK.length + 10_000_000);
  });

  test("text in single bytes and redraws with carriage returns stay what they are", async () => {
    const split = await turn("split: grüße \\e[31mrot\\e[0m 🐄");
    expect(split.stdout).toBe(`${MARK}grüße \u001b[31mrot\u001b[0m 🐄`);
    const redrawn = await turn("redraw: fetching");
    expect(redrawn.stdout).toContain("\rfetching 10%\rfetching 40%\rfetching 70%\rfetching 100%\n");
  });

  test("an answer may contain every sign that wrappers wait for", async () => {
    const { exitCode, stdout } = await turn("markers");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("__DAYTONA_KIRO_READY__\n");
    expect(stdout).toContain("Logged in successfully\n");
  });

  test("SIGINT ends a silent turn without credits; SIGTERM ends the program", async () => {
    for (const [signal, ending] of [
      ["SIGINT", { exitCode: 0, signal: null }],
      ["SIGTERM", { exitCode: null, signal: "SIGTERM" }],
    ] as const) {
      const running = rig.start([...HEADLESS, "--", "say: thinking\nsilence: 300"]);
      await running.until(/thinking/);
      running.child.kill(signal);
      const finished = await running.finished;
      expect(finished).toMatchObject(ending);
      expect(finished.stderr).not.toMatch(TRAILER);
    }
  });

  test("V2 is plain, streams JSON, and V1 refuses to", async () => {
    const plain = await turn("say: **as it is**", "--v2");
    expect(plain.stdout).toBe("**as it is**");
    const json = ["--output-format", "stream-json"];
    const streamed = await turn("say: Hello", "--agent-engine", "v2", ...json);
    const events = streamed.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string })
      .filter(({ type }) => type !== "metadata");
    expect(events).toMatchObject([
      { type: "runStarted", data: { engine: "v2" } },
      { type: "sessionUpdate", data: { update: { content: { type: "text", text: "Hello" } } } },
      { type: "runFinished", data: { status: "success", finalText: "Hello" } },
    ]);
    const refused = await turn("say: Hello", ...json);
    expect(refused.exitCode).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      type: "runError",
      data: { stage: "engine" },
    });
  });

  test("a missing agent is a warning for V1 and 4 for V2; a missing MCP server can be 3", async () => {
    const v1 = await turn("say: on", "--agent", "absent");
    expect(v1).toMatchObject({ exitCode: 0, stdout: `${MARK}on` });
    expect(v1.stderr).toContain("Error: no agent with name absent found. Falling back to");
    expect(await turn("say: on", "--agent", "absent", "--v2")).toMatchObject({ exitCode: 4 });
  });
});

describe("conversations", () => {
  test("--resume carries the history of this directory; without a row it starts anew", async () => {
    await using rig = await createRig();
    await rig.signIn();
    const ask = (...words: string[]): Promise<Finished> =>
      rig.run(["chat", "--no-interactive", ...words]);
    const asked = "What is my name?";
    expect((await ask("--resume", asked)).stdout).toContain("I don't know your name");
    await ask("Remember my name is Ada");
    expect((await ask("--resume", asked)).stdout).toContain("Your name is Ada.");
    const list = await rig.run(["chat", "--list-sessions"]);
    expect(list.stdout).toBe("");
    expect(list.stderr).toMatch(
      /\u001b\[38;5;141mChat SessionId: \u001b\[0m[0-9a-f-]{36}\n {2}\d+ seconds? ago \| Remember my name is Ada \| 4 msgs \| v1\n/,
    );
    const ids = [...list.stderr.matchAll(/m([0-9a-f-]{36})\n/g)].map((match) => match[1] ?? "");
    expect(ids).toHaveLength(2);
    expect((await ask("--resume-id", ids[1]!, asked)).stdout).toContain("I don't know your name");
    expect((await ask("--resume-id", ids[0]!, asked)).stdout).toContain("Your name is Ada.");
    expect(await ask("--resume-id", "absent", asked)).toMatchObject({ exitCode: 1 });
  });

  test("the database has the tables of the real program and nothing of failed turns", async () => {
    await using rig = await createRig();
    await rig.signIn();
    await rig.run(["chat", "--no-interactive", "fail: overloaded"]);
    const path = join(rig.home, ".local/share/kiro-cli/data.sqlite3");
    const database = new DatabaseSync(path, { readOnly: true });
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all();
    expect(tables.map(({ name }) => name)).toEqual([
      "auth_kv",
      "conversations",
      "conversations_v2",
      "history",
      "migrations",
      "state",
    ]);
    const rows = database.prepare("SELECT count(*) AS count FROM conversations_v2").get();
    database.close();
    expect(rows).toEqual({ count: 0 });
    const list = await rig.run(["chat", "--list-sessions"]);
    expect(list.stderr).toBe("No saved sessions\n");
  });
});

describe("without a sign-in", () => {
  test("a chat shows the block and ends with 1, or says so in a line", async () => {
    await using rig = await createRig();
    const words = ["chat", "--no-interactive", "hello"];
    expect(await rig.run(words)).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr:
        "Failed to open browser for authentication.\n" +
        "Please try again with: kiro-cli login --use-device-flow\n" +
        "error: No such file or directory (os error 2)\n",
    });
    expect(
      await rig.run(words, { environment: { FAKE_KIRO_NO_CREDENTIALS: "refuse" } }),
    ).toMatchObject({
      exitCode: 1,
      stderr: "error: You are not logged in, please log in with kiro-cli login\n",
    });
  });

  test("a chat can wait for ever with a code printed", async () => {
    await using rig = await createRig();
    const running = rig.start(["chat", "--no-interactive", "hello"], {
      environment: { FAKE_KIRO_NO_CREDENTIALS: "hang" },
    });
    running.child.stdin?.end();
    await running.until(/Code: [A-Z]{4}-[A-Z]{4}\n[^]*Logging in/);
    running.child.kill("SIGTERM");
    expect(await running.finished).toMatchObject({ signal: "SIGTERM" });
  });

  test("a key is enough; an invalid one ends with 0 and nothing on stdout", async () => {
    await using rig = await createRig();
    const withKey = (key: string, ...words: string[]): Promise<Finished> =>
      rig.run(words, { environment: { KIRO_API_KEY: key } });
    const turn = ["chat", "--no-interactive", "say: with a key"];
    expect(await withKey("ksk_simulated", ...turn)).toMatchObject({
      exitCode: 0,
      stdout: `${MARK}with a key`,
    });
    expect(await withKey("ksk_simulated", "whoami")).toMatchObject({
      exitCode: 0,
      stdout: "Authenticated with API key\n",
    });
    const refused = await withKey("ksk_wrong", ...turn);
    expect(refused).toMatchObject({ exitCode: 0, stdout: "" });
    expect(refused.stderr).toMatch(/^Authentication failed\./);
    expect(refused.stderr).not.toMatch(TRAILER);
  });
});
