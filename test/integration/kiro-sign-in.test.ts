import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import { KiroYard } from "../support/kiro-yard.ts";

const terminal = { columns: 100, rows: 30 };
const DOWN = "\u001B[B";
const QUIT = "/quit\r";

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("signing in to the stand-in Kiro"), () => {
  let yard: KiroYard;
  beforeAll(async () => void (yard = await KiroYard.open()));
  afterAll(() => yard?.close());

  async function begin(sandboxId: string, keys: string): Promise<string> {
    const id = await yard.session(sandboxId, { terminal });
    const { terminalId } = await yard.until(id, "terminal-start", "login");
    await yard.see(terminalId, /Use with Your Organization/);
    await yard.type(terminalId, keys);
    return id;
  }

  test("shows address and code, starts the agent without its trust question, and lasts", async () => {
    const { id: sandbox } = await yard.sandbox();
    const session = await begin(sandbox, "\r");
    const { code, url } = await yard.until(session, "login-code");
    expect(url).toBe(`https://view.awsapps.com/start/#/device?user_code=${code}`);
    expect(yard.cloud.approve(code)).toBe(true);
    const { terminalId } = await yard.until(session, "terminal-start", "agent");
    const screen = await yard.see(terminalId, /> /);
    expect(screen).not.toContain("trust all tools");
    await yard.type(terminalId, QUIT);
    expect(await yard.ending(session)).toMatchObject({ exitCode: 0 });

    await yard.engine.sandboxes.stop(sandbox);
    await yard.restart();
    await yard.start(sandbox);
    const next = await yard.session(sandbox, { kind: "turns" });
    expect(await yard.until(next, "signed-in")).toMatchObject({ account: /Builder ID/ });
    expect(await yard.ask(next, "say: still here")).toMatchObject({ answer: "still here" });
  });

  test("takes the arrow keys, and composes no address for another method", async () => {
    const session = await begin((await yard.sandbox()).id, `${DOWN}\r`);
    const { code, url } = await yard.until(session, "login-code");
    expect(url ?? "").not.toContain("view.awsapps.com");
    yard.cloud.approve(code);
    expect(await yard.until(session, "signed-in")).toMatchObject({ account: /^Google/ });
    await yard.engine.sessions.end(session);
  });

  test.each(["deny", "expire", "slowDown"] as const)(
    "that the service answers with %s fails with the status for it",
    async (answer) => {
      const session = await begin((await yard.sandbox()).id, "\r");
      const { code } = await yard.until(session, "login-code");
      yard.cloud[answer](code);
      expect(await yard.ending(session)).toMatchObject({
        exitCode: 121,
        problem: { code: "AGENT_LOGIN_FAILED" },
      });
    },
  );

  test("that is broken off with Ctrl+C fails, and can be tried again", async () => {
    const { id: sandbox } = await yard.sandbox();
    const session = await begin(sandbox, "\r");
    await yard.until(session, "login-code");
    const { terminalId } = await yard.until(session, "terminal-start", "login");
    await yard.type(terminalId, "\u0003");
    expect(await yard.ending(session)).toMatchObject({ exitCode: 121 });
    const again = await begin(sandbox, "\r");
    yard.cloud.approve((await yard.until(again, "login-code")).code);
    expect(await yard.until(again, "signed-in")).toMatchObject({ account: /Builder ID/ });
    await yard.engine.sessions.end(again);
  });

  test("without a terminal is refused at once", async () => {
    const session = await yard.session((await yard.sandbox()).id, { kind: "turns" });
    expect(await yard.ending(session)).toMatchObject({
      exitCode: 121,
      problem: { code: "AGENT_NOT_SIGNED_IN" },
    });
  });

  test.each([
    [["--version"], 0],
    [["whoami"], 1],
    [["logout"], 0],
  ])("is no part of %j, which runs alone", async (args, exitCode) => {
    const session = await yard.session((await yard.sandbox()).id, { arguments: args, terminal });
    expect(await yard.ending(session)).toMatchObject({ exitCode });
    await expect(yard.until(session, "terminal-start", "login")).rejects.toThrow("without");
  });
});

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("a Kiro that prints no address"), () => {
  test("has it composed from the code", async () => {
    const yard = await KiroYard.open({ profile: { FAKE_KIRO_DEVICE_URL: "never" } });
    try {
      const session = await yard.session((await yard.sandbox()).id, { terminal });
      const { terminalId } = await yard.until(session, "terminal-start", "login");
      await yard.see(terminalId, /Use with Your Organization/);
      await yard.type(terminalId, "\r");
      const { code, url } = await yard.until(session, "login-code");
      expect(url).toBe(`https://view.awsapps.com/start/#/device?user_code=${code}`);
      const shown = await yard.see(terminalId, /Logging in/);
      expect(shown).not.toContain("https://");
      await yard.engine.sessions.end(session);
    } finally {
      await yard.close();
    }
  });
});
