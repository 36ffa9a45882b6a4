import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { allOf, program } from "../support/requirement.ts";
import type { RunningProgram } from "../support/running-program.ts";

const NEEDS = allOf(KIRO_NEEDS, program("script"), program("stty"));
const DOWN = "\u001B[B";
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const SELECTOR = /Use with Your Organization/;

/** Runs one command between two readings of the terminal's settings. */
function between(command: string): string {
  return `echo "before $(stty -g)"; ${command}; echo "status=$?"; echo "after $(stty -g)"`;
}

function expectRestored(text: string): void {
  const before = /before (\S+)/.exec(text)?.[1];
  expect(before).toBeDefined();
  expect(/after (\S+)/.exec(text)?.[1]).toBe(before);
  // Whoever hid the cursor has shown it again.
  expect(text.lastIndexOf("\u001B[?25h")).toBeGreaterThanOrEqual(text.lastIndexOf("\u001B[?25l"));
}

describe.skipIf(!NEEDS.met)(NEEDS.title("signing in to Kiro in the user's terminal"), () => {
  let yard: CommandLineYard;
  beforeAll(async () => {
    yard = await CommandLineYard.open();
  });
  afterAll(() => yard?.close());

  function begin(name: string): RunningProgram {
    return yard.startInTerminal(between(`cattlegrid run kiro --name ${name}`));
  }

  async function choose(terminal: RunningProgram, keys: string): Promise<string> {
    await terminal.until(SELECTOR);
    terminal.write(keys);
    const text = await terminal.until(/code: [A-Z]{4}-[A-Z]{4}/);
    return /code: (\S+)/.exec(text)![1]!;
  }

  test("takes arrow keys, forgets what was typed before, and gives the terminal back", async () => {
    const terminal = begin("keys");
    await terminal.until(/before/);
    // Enter, typed while the agent is being installed, chooses nothing later.
    terminal.write("\r\r");
    const code = await choose(terminal, `${DOWN}\r`);
    expect(yard.cloud.approve(code)).toBe(true);
    const text = await terminal.until(/Signed in as Google[^]*> /);
    expect(text).toContain(`Code: ${code}`);
    expect(text).not.toContain("trust all tools");
    terminal.write("what is my name\r");
    await terminal.until(/I don't know your name/);
    terminal.write("/quit\r");
    const { text: all } = await terminal.finished;
    expect(all).toContain("status=0");
    expectRestored(all);
  });

  test("shows address and code, and is no more once it was approved", async () => {
    const terminal = begin("shown");
    const code = await choose(terminal, "\r");
    const address = `https://view.awsapps.com/start/#/device?user_code=${code}`;
    expect(terminal.text()).toContain(`Open ${address}`);
    yard.cloud.approve(code);
    await terminal.until(/Signed in as Builder ID[^]*> /);
    terminal.write(CTRL_D);
    expectRestored((await terminal.finished).text);

    const again = await yard.run(["run", "kiro", "--name", "shown", "--", "whoami"]);
    expect([again.exitCode, again.stdout.toString()]).toEqual([0, "Logged in with Builder ID\n"]);
  });

  test.each([
    ["is broken off with Ctrl+C", (terminal: RunningProgram) => terminal.write(CTRL_C)],
    ["is denied", (_: RunningProgram, code: string) => void yard.cloud.deny(code)],
    ["expires", (_: RunningProgram, code: string) => void yard.cloud.expire(code)],
  ])("that %s says so, exits 121 and gives the terminal back", async (_title, settle) => {
    const terminal = begin("refused");
    settle(terminal, await choose(terminal, "\r"));
    const { text } = await terminal.finished;
    expect(text).toContain("AGENT_LOGIN_FAILED");
    expect(text).toContain("status=121");
    expectRestored(text);
    const { exitCode } = await yard.run(["run", "kiro", "--name", "refused", "--", "whoami"]);
    expect(exitCode).toBe(1);
  });

  test("gives the terminal back when Ctrl+C comes at the list of methods", async () => {
    const terminal = begin("refused");
    await terminal.until(SELECTOR);
    terminal.write(CTRL_C);
    const { text } = await terminal.finished;
    expect(text).toMatch(/status=1(21|30)/);
    expectRestored(text);
  });

  test("passes its deadline with 124", async () => {
    const command = "cattlegrid run kiro --name refused --login-timeout 1s";
    const { text } = await yard.startInTerminal(between(command)).finished;
    expect(text).toContain("status=124");
    expectRestored(text);
  });

  test("works without a terminal when it is asked for, and lasts until the sandbox is removed", async () => {
    await yard.signIn("lasting");
    const whoami = ["run", "kiro", "--name", "lasting", "--", "whoami"];
    const account = async (): Promise<unknown[]> => {
      const { exitCode, stdout } = await yard.run(whoami);
      return [exitCode, stdout.toString()];
    };
    const signedIn = [0, "Logged in with Builder ID\n"];
    expect(await account()).toEqual(signedIn);
    await yard.run(["stop", "lasting"]);
    expect(await account()).toEqual(signedIn);
    process.kill(yard.daemonPid, "SIGKILL");
    expect(await account()).toEqual(signedIn);
    await yard.run(["rm", "--force", "lasting"]);
    expect(await account()).toEqual([1, "Not logged in\n"]);
  });

  test("is needed for a chat: without a terminal there is a refusal with 121", async () => {
    const { exitCode, stdout, stderr } = await yard.run(["chat", "kiro", "--prompt", "hello"]);
    expect([exitCode, stdout.toString()]).toEqual([121, ""]);
    expect(stderr.toString()).toContain("AGENT_NOT_SIGNED_IN");
    expect((await yard.sandboxes()).filter(({ ephemeral }) => ephemeral)).toEqual([]);
  });
});

describe.skipIf(!NEEDS.met)(NEEDS.title("a Kiro that prints only the code"), () => {
  test("has its address shown beside it", async () => {
    const yard = await CommandLineYard.open({ profile: { FAKE_KIRO_DEVICE_URL: "never" } });
    try {
      const terminal = yard.startInTerminal(between("cattlegrid chat kiro"));
      await terminal.until(SELECTOR);
      terminal.write("\r");
      const text = await terminal.until(/code: \S+/);
      const code = /Code: (\S+)/.exec(text)![1]!;
      expect(text).not.toContain("Open this URL");
      expect(text).toContain(`Open https://view.awsapps.com/start/#/device?user_code=${code}`);
      yard.cloud.approve(code);
      await terminal.until(/Signed in as Builder ID\.[^]*> /);
      terminal.write(CTRL_D);
      const { text: all } = await terminal.finished;
      expect(all).toContain("status=0");
      expectRestored(all);
      expect(await yard.sandboxes()).toEqual([]);
    } finally {
      await yard.close();
    }
  });
});
