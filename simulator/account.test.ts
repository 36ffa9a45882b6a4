import { spawnSync } from "node:child_process";
import { stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRig } from "./rig.ts";
import type { Rig } from "./rig.ts";

const hasScript = spawnSync("script", ["--version"]).status === 0;
const TERMINAL = hasScript ? "" : " [skipped: script(1) of util-linux is missing]";
const DOWN = "\u001b[B";

function authKeys(rig: Rig): string[] {
  const path = join(rig.home, ".local/share/kiro-cli/data.sqlite3");
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare("SELECT key FROM auth_kv ORDER BY key").all();
  database.close();
  return rows.map((row) => String(row["key"]));
}

const REGISTRATION = "kirocli:odic:device-registration";

describe("before a sign-in", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  test("--version prints the version and makes nothing", async () => {
    expect(await rig.run(["--version"])).toMatchObject({
      exitCode: 0,
      stdout: "kiro-cli 2.21.2\n",
      stderr: "",
    });
    await expect(stat(join(rig.home, ".kiro"))).rejects.toThrow("ENOENT");
  });

  test("whoami says so, in either format, with status 1", async () => {
    expect(await rig.run(["whoami"])).toMatchObject({ exitCode: 1, stdout: "Not logged in\n" });
    expect(await rig.run(["whoami", "--format", "json"])).toMatchObject({
      exitCode: 1,
      stdout: '{"account":null}\n',
    });
  });

  test("a login with no browser ends with the device-flow advice and does not fall back", async () => {
    expect(await rig.run(["login"])).toMatchObject({
      exitCode: 1,
      stderr:
        "Failed to open browser for authentication.\n" +
        "Please try again with: kiro-cli login --use-device-flow\n" +
        "error: No such file or directory (os error 2)\n",
    });
  });

  test.for([
    ["unknown flag", ["chat", "--bogus"], 2, "error: unexpected argument '--bogus' found"],
    ["second positional", ["chat", "--no-interactive", "a", "b"], 2, "error: unexpected argument"],
    ["no prompt", ["chat", "--no-interactive"], 1, "error: Input must be supplied"],
    ["unknown subcommand", ["fly"], 2, "error: unrecognized subcommand 'fly'"],
    ["profile", ["profile"], 1, "error: You are not logged in"],
  ] as const)("%s is an error", async ([, words, exitCode, message]) => {
    const finished = await rig.run(words);
    expect(finished.exitCode).toBe(exitCode);
    expect(finished.stderr).toContain(message);
  });

  test("chat without its sibling program fails as a lone symbolic link does", async () => {
    const link = join(rig.home, "kiro-cli");
    await symlink(join(import.meta.dirname, "kiro-cli/bin/kiro-cli"), link);
    const { status, stderr } = spawnSync(link, ["chat", "hi"], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: "error: No such file or directory (os error 2)\n",
    });
  });

  test("settings are set silently, printed, and refused when unknown", async () => {
    const key = "chat.disableTrustAllConfirmation";
    expect(await rig.run(["settings", key, "true"])).toMatchObject({ exitCode: 0, stdout: "" });
    expect(await rig.run(["settings", key])).toMatchObject({ exitCode: 0, stdout: "true\n" });
    expect(await rig.run(["settings", "no.such", "1"])).toMatchObject({ exitCode: 1 });
    expect(await rig.run(["settings", "api.timeout"])).toMatchObject({
      exitCode: 1,
      stderr: "error: No value associated with api.timeout\n",
    });
  });
});

describe("device flow", () => {
  test("without a terminal takes Builder ID and stores the sign-in for its owner only", async () => {
    await using rig = await createRig();
    await rig.signIn();
    expect(await rig.run(["whoami"])).toMatchObject({
      exitCode: 0,
      stdout: "Logged in with Builder ID\n",
    });
    const json = await rig.run(["whoami", "-f", "json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ accountType: "BuilderId" });
    const file = await stat(join(rig.home, ".local/share/kiro-cli/data.sqlite3"));
    expect(file.mode & 0o777).toBe(0o600);
    expect(authKeys(rig)).toEqual([REGISTRATION, "kirocli:odic:token"]);
    expect(await rig.run(["login"])).toMatchObject({
      exitCode: 1,
      stderr: "error: Already logged in, please logout with kiro-cli logout first\n",
    });
    expect(await rig.run(["logout"])).toMatchObject({ exitCode: 0 });
    expect(authKeys(rig)).toEqual([]);
    expect(await rig.run(["whoami"])).toMatchObject({ exitCode: 1 });
  });

  test.for([
    ["a remote session shows the address", "auto", { SSH_TTY: "/dev/pts/0" }, true, true],
    ["a browser that fails shows the address", "auto", {}, false, true],
    ["a browser that opens hides the address", "auto", {}, true, false],
    ["2.19 in a container hides the address", "remote", {}, false, false],
  ] as const)("%s", async ([, deviceUrl, session, browserOpens, isShown]) => {
    await using rig = await createRig();
    await rig.setBrowser(browserOpens);
    const running = rig.start(["login", "--use-device-flow", "--license", "free"], {
      environment: { FAKE_KIRO_DEVICE_URL: deviceUrl, ...session },
    });
    await running.until(/Logging in\.\.\./);
    const [code = ""] = rig.cloud.pendingCodes();
    rig.cloud.approve(code);
    const { stdout } = await running.finished;
    expect(stdout).toContain(`\nConfirm the following code in the browser\nCode: ${code}\n\n`);
    const address = `Open this URL: https://view.awsapps.com/start/#/device?user_code=${code}\n`;
    expect(stdout.includes(address)).toBe(isShown);
    expect(stdout).toContain("\r▰▱▱▱▱▱▱ Logging in...");
    expect(stdout).toMatch(/\u001b\[2K\rDevice authorized\nLogged in successfully\n$/);
  });

  test.for([
    ["expired", "ExpiredTokenException"],
    ["denied", "AccessDeniedException"],
    ["slowed", "SlowDownException"],
  ] as const)("a code that is %s ends it, leaving the registration only", async ([state, type]) => {
    await using rig = await createRig();
    const running = rig.start(["login", "--use-device-flow"]);
    await running.until(/Code: \S+/);
    const [code = ""] = rig.cloud.pendingCodes();
    const { deny, expire, slowDown } = rig.cloud;
    ({ denied: deny, expired: expire, slowed: slowDown })[state](code);
    const { exitCode, stderr } = await running.finished;
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`error: ${type}`);
    expect(authKeys(rig)).toEqual([REGISTRATION]);
  });

  test.for([["SIGINT"], ["SIGHUP"]] as const)(
    "%s ends it with 1, leaving the registration only",
    async ([signal]) => {
      await using rig = await createRig();
      const running = rig.start(["login", "--use-device-flow"]);
      await running.until(/Logging in/);
      running.child.kill(signal);
      expect(await running.finished).toMatchObject({ exitCode: 1, signal: null });
      expect(authKeys(rig)).toEqual([REGISTRATION]);
    },
  );

  test("an organization cannot be named without a terminal", async () => {
    await using rig = await createRig();
    const words = ["login", "--use-device-flow", "--license", "pro", "--region", "eu-central-1"];
    const { exitCode, stderr } = await rig.run(words);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("must be a valid host label");
  });

  test("a lapsed token is refreshed by whoami, and revoked tokens sign out", async () => {
    await using rig = await createRig({ tokenLifetimeMs: 30_000 });
    await rig.signIn();
    expect(await rig.run(["whoami"])).toMatchObject({ exitCode: 0 });
    const refreshes = rig.cloud.requests.filter((line) => line.endsWith("POST /token"));
    expect(refreshes.length).toBeGreaterThan(1);
    rig.cloud.revokeTokens();
    expect(await rig.run(["whoami"])).toMatchObject({ exitCode: 1, stdout: "Not logged in\n" });
    expect(authKeys(rig)).toEqual([REGISTRATION]);
  });
});

describe(`device flow on a terminal${TERMINAL}`, () => {
  test.skipIf(!hasScript)("arrow keys choose Google, whose account has an address", async () => {
    await using rig = await createRig();
    const running = rig.startInTerminal(["login", "--use-device-flow"]);
    await running.until(/❯ .*Use with Builder ID[^]*Use with Your Organization/);
    running.write(`${DOWN}\r`);
    await running.until(/Logging in/);
    expect(running.output()).toContain("Use with Google");
    expect(running.output()).toContain("\u001b[?25l");
    for (const code of rig.cloud.pendingCodes()) rig.cloud.approve(code);
    const { exitCode, stdout } = await running.finished;
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/\u001b\[2K\rDevice authorized\r\nLogged in successfully\r\n/);
    expect(await rig.run(["whoami"])).toMatchObject({
      stdout: "Logged in with Google\nEmail: someone@example.invalid\n",
    });
    expect(authKeys(rig)).toEqual(["kirocli:social:token"]);
  });

  test.skipIf(!hasScript)(
    "an organization asks for its address and region, then for a profile",
    async () => {
      const profiles = ["one", "two"].map((profileName) => ({
        profileName,
        arn: `arn:aws:codewhisperer:us-east-1:1:profile/${profileName}`,
      }));
      await using rig = await createRig({ account: { email: "a@example.invalid", profiles } });
      const running = rig.startInTerminal([
        "login",
        "--use-device-flow",
        "--identity-provider",
        "https://example.awsapps.com/start",
        "--region",
        "eu-central-1",
      ]);
      await running.until(/Use with Your Organization/);
      running.write(`${DOWN}${DOWN}${DOWN}\r`);
      await running.until(/Enter Start URL.*https:\/\/example\.awsapps\.com\/start/);
      running.write("\r");
      await running.until(/Enter Region.*eu-central-1/);
      running.write("\r");
      await running.until(/Logging in/);
      for (const code of rig.cloud.pendingCodes()) rig.cloud.approve(code);
      await running.until(/Select an IAM Identity Center profile[^]*two \(arn: /);
      running.write(`${DOWN}\r`);
      expect((await running.finished).exitCode).toBe(0);
      expect(running.output()).toContain("Profile set");
      expect(rig.cloud.requests).toContain("oidc.eu-central-1.amazonaws.com POST /client/register");
      const { stdout } = await rig.run(["whoami", "--format", "json"]);
      const [json = "", ...rest] = stdout.split("\n");
      expect(JSON.parse(json)).toMatchObject({
        accountType: "IamIdentityCenter",
        startUrl: "https://example.awsapps.com/start",
      });
      expect(rest).toEqual(["", "Profile:", "two", profiles[1]!.arn, ""]);
    },
  );

  test.skipIf(!hasScript).for([
    ["Escape in the menu", "\u001b", /Use with Your Organization/, "No login method selected"],
    ["Ctrl-C in the menu", "\u0003", /Use with Your Organization/, "\u001b[?25h"],
  ] as const)("%s ends it with 1 and the cursor back", async ([, key, moment, message]) => {
    await using rig = await createRig();
    const running = rig.startInTerminal(["login", "--use-device-flow"]);
    await running.until(moment);
    running.write(key);
    expect((await running.finished).exitCode).toBe(1);
    expect(running.output()).toContain(message);
    expect(running.output()).toContain("\u001b[?25h");
  });

  test.skipIf(!hasScript)("Ctrl-C while waiting ends it with 1 and the cursor back", async () => {
    await using rig = await createRig();
    const running = rig.startInTerminal(["login", "--use-device-flow", "--license", "free"]);
    await running.until(/Logging in/);
    running.write("\u0003");
    const { exitCode, stdout } = await running.finished;
    expect(exitCode).toBe(1);
    expect(stdout).toContain("\u001b[?25h");
    expect(authKeys(rig)).toEqual([REGISTRATION]);
  });

  test.skipIf(!hasScript)("Enter approves only where the cloud offers it", async () => {
    await using rig = await createRig({ enterApproves: true });
    const running = rig.startInTerminal(["login", "--use-device-flow", "--license", "free"]);
    await running.until(/Logging in/);
    running.write("\r");
    expect((await running.finished).exitCode).toBe(0);
  });
});
