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
    const arn = (region: string, name: string): string =>
      `arn:aws:codewhisperer:${region}:123456789012:profile/${name}`;
    const profiles = [
      { arn: arn("us-east-1", "VIRGINIA"), profileName: "virginia" },
      { arn: arn("eu-central-1", "FRANKFURT"), profileName: "frankfurt" },
    ];
    yard = await CommandLineYard.open({ account: { email: "a@example.invalid", profiles } });
  });
  afterAll(() => yard?.close());

  function begin(name: string, flags = ""): RunningProgram {
    return yard.startInTerminal(
      between(`cattlegrid run kiro --name ${name} --profile ${name} ${flags}`),
    );
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

  test("through an organisation takes start page, region and profile, which says where models run", async () => {
    const page = "https://example-corp.awsapps.com/start";
    const directory = `--identity-provider ${page} --identity-region eu-west-1`;
    const terminal = begin("firm", `--region eu-central-1 --region eu-west-1 ${directory}`);
    // Kiro asks all the same, with what was given filled in.
    await terminal.until(/Enter Start URL[^]*example-corp/);
    terminal.write("\r");
    await terminal.until(/Enter Region[^]*eu-west-1/);
    terminal.write("\r");
    const address = /Open https:\/\/example-corp\S+user_code=([A-Z-]{9})/;
    const code = address.exec(await terminal.until(address))![1]!;
    yard.cloud.approve(code);
    await terminal.until(/Select an IAM Identity Center profile[^]*frankfurt/);
    terminal.write(`${DOWN}\r`);
    await terminal.until(/Signed in as IAM Identity Center \(https:\/\/example-corp[^]*> /);
    const before = yard.cloud.requests.length;
    terminal.write("say: from afar\r");
    await terminal.until(/from afar[^]*Credits/);
    terminal.write("/quit\r");
    expect((await terminal.finished).text).toContain("status=0");
    const asked = yard.cloud.requests.slice(before).filter((line) => line.includes("generate"));
    expect(asked).toEqual(["runtime.eu-central-1.kiro.dev POST /generateAssistantResponse"]);
    expect(yard.cloud.requests).toContain("oidc.eu-west-1.amazonaws.com POST /token");
    const { stdout } = await yard.run(["run", "kiro", "--name", "firm", "--", "whoami"]);
    expect(stdout.toString()).toMatch(/\nProfile:\nfrankfurt\narn:aws:codewhisperer:eu-central-1:/);
    const chat = await yard.run(["chat", "--name", "firm", "--prompt", "say: signed in"]);
    expect([chat.exitCode, chat.stdout.toString()]).toEqual([
      0,
      expect.stringContaining("signed in"),
    ]);
  });

  test("through an organisation needs page and region together, and an agent that has such a thing", async () => {
    const half = await yard.run(["chat", "kiro", "--identity-region", "eu-west-1", "-p", "x"]);
    expect([half.exitCode, half.text]).toEqual([125, expect.stringContaining("belong together")]);
    const words = ["run", "kiro", "--region", "mars-1", "--name", "none", "--", "--version"];
    expect((await yard.run(words)).text).toContain("AGENT_REGION_UNKNOWN");
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

describe.skipIf(!NEEDS.met)(NEEDS.title("a Kiro sandbox that is made anew"), () => {
  test("is signed in still with --keep-login, and not without", async () => {
    const yard = await CommandLineYard.open();
    try {
      await yard.signIn("anew");
      await yard.inside("anew", "touch ~/junk");
      const whoami = ["run", "kiro", "--name", "anew", "--", "whoami"];
      const kept = await yard.run(["recreate", "anew", "--keep-login"]);
      expect(kept.text).toContain("anew is made anew, with its sign-in.");
      expect((await yard.run(whoami)).exitCode).toBe(0);
      expect(await yard.inside("anew", "ls ~")).not.toContain("junk");
      expect((await yard.run(["recreate", "anew"])).exitCode).toBe(0);
      expect((await yard.run(whoami)).exitCode).not.toBe(0);
    } finally {
      await yard.close();
    }
  }, 180_000);
});
