import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SessionYard } from "../../test/support/session-yard.ts";
import type { SessionEvent } from "../protocol/session.ts";

const terminal = { columns: 80, rows: 24 };
const CANARY = "canary-7f3a90c2";

let yard: SessionYard;
beforeEach(async () => void (yard = await SessionYard.open()));
afterEach(() => yard.close());

const types = (events: readonly SessionEvent[]): string[] => events.map(({ type }) => type);

async function type(sessionId: string, text: string): Promise<void> {
  const { terminalId } = await yard.until(sessionId, "terminal-start");
  await yard.engine.terminals.get(terminalId).terminal.write(Buffer.from(text));
}

describe("an interactive session", () => {
  test("tells its course, and ends with the agent's exit status", async () => {
    const id = await yard.session(await yard.sandbox(), { arguments: ["talk", "exit 7"] });
    expect(types(await yard.events(id))).toEqual([
      "session-start",
      "signed-in",
      "terminal-start",
      "terminal-end",
      "session-end",
    ]);
    expect(await yard.ending(id)).toEqual({ type: "session-end", exitCode: 7 });
    expect(await yard.engine.sessions.get(id)).toMatchObject({ status: "ended", exitCode: 7 });
    expect(yard.engine.sessions.countOpen()).toBe(0);
  });

  test("shows the terminal to attach to while there is one", async () => {
    const id = await yard.session(await yard.sandbox(), { arguments: ["talk", "read line"] });
    const { terminalId } = await yard.until(id, "terminal-start");
    expect(await yard.engine.sessions.get(id)).toMatchObject({ status: "running", terminalId });
    await yard.engine.sessions.end(id);
    expect(await yard.engine.sessions.get(id)).not.toHaveProperty("terminalId");
  });

  test("of an agent that cannot be found ends with 127", async () => {
    const sandbox = await yard.sandbox({ agent: "shell" });
    const id = await yard.session(sandbox, { arguments: ["-c", "exec /nowhere/at/all"] });
    expect(await yard.ending(id)).toMatchObject({ exitCode: 127 });
  });

  test("ends when it is told to, and nothing of it is left", async () => {
    const sandbox = await yard.sandbox();
    const id = await yard.session(sandbox, {
      arguments: ["talk", "sleep 1000 & echo $! > pid; wait"],
    });
    await yard.until(id, "terminal-start");
    await yard.engine.sessions.end(id);
    await yard.engine.sessions.end(id);
    expect(await yard.ending(id)).toMatchObject({ exitCode: 137 });
  });

  test("ends in good order when its sandbox is stopped", async () => {
    const sandbox = await yard.sandbox();
    const id = await yard.session(sandbox, { arguments: ["talk", "read line"] });
    await yard.until(id, "terminal-start");
    await yard.engine.sandboxes.stop(sandbox);
    expect(await yard.engine.sessions.get(id)).toMatchObject({ status: "ended" });
  });

  test("is lost when its sandbox dies", async () => {
    const sandbox = await yard.sandbox();
    const id = await yard.session(sandbox, { arguments: ["talk", "read line"] });
    await yard.until(id, "terminal-start");
    yard.provider.kill(sandbox);
    const end = await yard.ending(id);
    expect(end).toMatchObject({ exitCode: 125, problem: { code: "SANDBOX_LOST" } });
    expect(await yard.engine.sessions.get(id)).toMatchObject({ status: "lost", exitCode: 125 });
  });

  test("is refused in a sandbox that does not run", async () => {
    const sandbox = await yard.sandbox();
    await yard.engine.sandboxes.stop(sandbox);
    await expect(yard.session(sandbox)).rejects.toMatchObject({ code: "SANDBOX_NOT_RUNNING" });
  });

  test("takes no credential as environment", async () => {
    const environment = { TOOL_KEY: CANARY };
    await expect(yard.session(await yard.sandbox(), { environment })).rejects.toMatchObject({
      code: "ENVIRONMENT_INVALID",
    });
  });
});

describe("sign-in", () => {
  test("is not asked for before a word that runs alone", async () => {
    const sandbox = await yard.sandbox({ signedIn: false });
    const id = await yard.session(sandbox, { arguments: ["--version"] });
    expect(types(await yard.events(id))).not.toContain("signed-in");
    expect(await yard.ending(id)).toMatchObject({ exitCode: 0 });
  });

  test("without a terminal fails with the status for it, naming what to do", async () => {
    const id = await yard.session(await yard.sandbox({ signedIn: false }));
    const { exitCode, problem } = await yard.ending(id);
    expect({ exitCode, code: problem?.code }).toEqual({
      exitCode: 121,
      code: "AGENT_NOT_SIGNED_IN",
    });
    expect(problem?.hint).toContain("-e TOOL_KEY");
  });

  test("happens in a terminal, then the agent starts in its own", async () => {
    const sandbox = await yard.sandbox({ signedIn: false });
    const id = await yard.session(sandbox, { terminal, arguments: ["talk", "echo hi"] });
    expect(await yard.until(id, "login-code")).toEqual({
      type: "login-code",
      code: "ABCD-EFGH",
      url: "https://page.example/ABCD-EFGH",
    });
    expect(await yard.engine.sessions.get(id)).toMatchObject({ status: "signing-in" });
    await type(id, "yes\n");
    const events = await yard.events(id);
    expect(events.filter(({ type: name }) => name === "terminal-start")).toMatchObject([
      { purpose: "login" },
      { purpose: "agent" },
    ]);
    expect(events).toContainEqual({ type: "signed-in", account: "someone" });
    expect(events.at(-1)).toMatchObject({ exitCode: 0 });
    expect(types(await yard.events(await yard.session(sandbox)))).not.toContain("login-code");
  });

  test("that was not completed fails, whatever the login's own exit status", async () => {
    const id = await yard.session(await yard.sandbox({ signedIn: false }), { terminal });
    await type(id, "no\n");
    expect(await yard.ending(id)).toMatchObject({
      exitCode: 121,
      problem: { code: "AGENT_LOGIN_FAILED" },
    });
  });

  test("that nobody completes ends at its deadline", async () => {
    const sandbox = await yard.sandbox({ signedIn: false });
    const id = await yard.session(sandbox, { terminal, loginTimeoutMs: 50 });
    expect(await yard.ending(id)).toMatchObject({ exitCode: 124, problem: { code: "TIMED_OUT" } });
  });

  test("is not needed with a key, which reaches the agent and no record", async () => {
    const sandbox = await yard.sandbox({ signedIn: false });
    const script = '[ "${#TOOL_KEY}" = 15 ] && exit 9';
    const secrets = { TOOL_KEY: CANARY };
    const id = await yard.session(sandbox, { secrets, arguments: ["talk", script] });
    const events = await yard.events(id);
    expect(events.at(-1)).toMatchObject({ exitCode: 9 });
    expect(JSON.stringify(events)).not.toContain(CANARY);
    expect(JSON.stringify(await yard.engine.sandboxes.get(sandbox))).not.toContain(CANARY);
    expect(yard.records()).not.toContain(CANARY);
  });

  test("keeps the key from the question who is signed in", async () => {
    const sandbox = await yard.sandbox();
    await yard.ending(await yard.session(sandbox, { arguments: ["talk", "true"] }));
    expect(readFileSync(join(yard.home(sandbox), "calls"), "utf8")).toBe("whoami key=none\n");
  });
});

describe("events", () => {
  test("are told from the first on to a reader that comes after the end", async () => {
    const id = await yard.session(await yard.sandbox(), { arguments: ["talk", "true"] });
    const early = await yard.events(id);
    expect(await yard.events(id)).toEqual(early);
  });

  test("of an unknown session are refused", async () => {
    await expect(yard.events("nobody")).rejects.toMatchObject({ code: "SESSION_NOT_FOUND" });
  });

  test("hold a leased session: it ends when its last reader has gone", async () => {
    const sandbox = await yard.sandbox();
    const id = await yard.session(sandbox, { leased: true, arguments: ["talk", "read line"] });
    const reader = new AbortController();
    const reading = Array.fromAsync(yard.engine.sessions.events(id, reader.signal));
    await yard.until(id, "terminal-start");
    expect(yard.engine.sessions.countOpen()).toBe(1);
    reader.abort();
    await reading;
    // Another reader would hold it again.
    await vi.waitUntil(() => yard.engine.sessions.countOpen() === 0);
    expect(await yard.ending(id)).toMatchObject({ type: "session-end" });
  });
});
