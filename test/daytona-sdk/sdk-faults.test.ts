import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REQUEST_FAULTS } from "../../simulator/daytona/faults.ts";
import { failure, type SdkSandbox } from "./sdk.ts";
import { SDK_NEEDS, SdkYard } from "./sdk-yard.ts";

const MINUTE_MS = 60_000;
const CREATE = { method: "POST", path: /^\/api\/sandbox$/ };

describe.skipIf(!SDK_NEEDS.met)(SDK_NEEDS.title("what the SDK makes of each fault"), () => {
  let yard: SdkYard;
  let sandbox: SdkSandbox;
  beforeAll(async () => {
    yard = await SdkYard.open();
    sandbox = await yard.daytona.create();
  });
  afterAll(() => yard[Symbol.asyncDispose]());

  describe("terminals", () => {
    test("a lost tail is lost without a word: the exit code is that of success", async () => {
      yard.fake.faults.onTerminal({}, { kind: "lose-tail", bytes: 9 });
      const { terminal, seen } = await yard.terminal(sandbox);
      await terminal.sendInput("stty -echo; exec sh -c 'echo begun; echo the-end'\n");
      expect(await terminal.wait()).toEqual({ exitCode: 0, error: undefined });
      expect(seen.text).toMatch(/begun\r\n$/);
    });

    test("bytes that come after the exit are not there yet when the SDK says that all is over", async () => {
      const late = Promise.withResolvers<void>();
      const fault = { kind: "early-exit", bytes: 9, until: late.promise } as const;
      yard.fake.faults.onTerminal({}, fault);
      const { terminal, seen } = await yard.terminal(sandbox);
      await terminal.sendInput("stty -echo; exec sh -c 'echo begun; echo the-\\end'\n");
      await terminal.wait();
      expect(terminal.isConnected()).toBe(false);
      expect(seen.text).not.toContain("the-end");
      late.resolve();
      await seen.until(/the-end\r\n$/);
    });

    test("a dropped socket is a finished turn without an exit code, while the program runs on", async () => {
      const { id, terminal, seen } = await yard.terminal(sandbox);
      await terminal.sendInput("echo be''gun; sleep 600\n");
      await seen.until(/begun/);
      const waited = terminal.wait();
      yard.fake.sandboxes.get(sandbox.id).terminals.get(id)?.drop();
      expect(await waited).toEqual({ exitCode: undefined, error: undefined });
      expect(
        await sandbox.process.executeCommand("grep -qx sleep /proc/[0-9]*/comm"),
      ).toMatchObject({ exitCode: 0 });
      const again = await yard.terminal(sandbox, { id, attach: true });
      expect(again.seen.text).not.toContain("begun");
      await again.terminal.kill();
    });

    test("a client that is dropped as a slow one is a finished turn too", async () => {
      const { id, terminal } = await yard.terminal(sandbox);
      const waited = terminal.wait();
      yard.fake.sandboxes.get(sandbox.id).terminals.get(id)?.close(1008, "slow consumer");
      expect(await waited).toMatchObject({ exitCode: undefined });
      await sandbox.process.killPtySession(id);
    });

    test("a half-open socket is taken for a connection", async () => {
      const fault = { kind: "half-open", afterBytes: 1 } as const;
      const armed = yard.fake.faults.onTerminal({}, fault);
      const { id, terminal, seen } = await yard.terminal(sandbox);
      await armed.struck();
      await terminal.sendInput("echo unheard\n");
      // Both were sent before this call: by now they would be there.
      expect(await sandbox.process.getPtySessionInfo(id)).toMatchObject({ id });
      expect(terminal.isConnected()).toBe(true);
      expect(seen.text).not.toContain("unheard");
      await sandbox.process.killPtySession(id);
    });

    test("a prompt over 4 KB that is typed before the shell is there loses its end and hangs", async () => {
      yard.fake.faults.onTerminal({}, { kind: "hold-shell", bytes: 1 });
      const { terminal, seen } = await yard.terminal(sandbox);
      await terminal.sendInput(`exec printf 'whole:%s' '${"x".repeat(5000)}'\n`);
      // The closing quote is gone: the shell asks for more.
      await seen.until(/2004h> $/);
      expect(terminal.exitCode).toBeUndefined();
      expect(seen.text).not.toContain("whole:x");
      await terminal.kill();
    });

    test("a shorter one that is typed as early is whole", async () => {
      yard.fake.faults.onTerminal({}, { kind: "hold-shell", bytes: 1 });
      const { terminal, seen } = await yard.terminal(sandbox);
      await terminal.sendInput(`exec printf 'whole:%s' '${"x".repeat(3000)}'\n`);
      expect(await terminal.wait()).toMatchObject({ exitCode: 0 });
      expect(seen.text).toMatch(/whole:x{3000}$/);
    });

    test("without the subprotocol, and for an id twice, the reason is lost", async () => {
      yard.fake.faults.onTerminal({}, { kind: "no-subprotocol" });
      expect(await failure(yard.terminal(sandbox))).toMatchObject({
        name: "DaytonaConnectionError",
        statusCode: undefined,
      });
      const { id, terminal } = await yard.terminal(sandbox);
      expect(await failure(yard.terminal(sandbox, { id }))).toMatchObject({
        name: "DaytonaConnectionError",
        message: "[object Object]",
        statusCode: undefined,
      });
      await terminal.kill();
    });

    test("an error in a control frame is its message; so is a terminal that is not there", async () => {
      yard.fake.faults.onTerminal({}, { kind: "error", message: "no more terminals" });
      expect(await failure(yard.terminal(sandbox))).toMatchObject({ message: "no more terminals" });
      const absent = failure(yard.terminal(sandbox, { id: "absent", attach: true }));
      expect(await absent).toMatchObject({ message: "PTY session not found" });
    });

    test("a program that a signal ends has the exit code -1", async () => {
      const { terminal } = await yard.terminal(sandbox);
      await terminal.sendInput("exec sh -c 'kill -9 $$'\n");
      expect(await terminal.wait()).toEqual({ exitCode: -1, error: "(non-zero exit)" });
    });
  });

  describe("requests", () => {
    test.each([
      { fault: REQUEST_FAULTS.serverError(500), name: "DaytonaInternalServerError" },
      { fault: REQUEST_FAULTS.serverError(502), name: "DaytonaBadGatewayError" },
      { fault: REQUEST_FAULTS.serverError(503), name: "DaytonaServiceUnavailableError" },
      { fault: REQUEST_FAULTS.serverError(504), name: "DaytonaTimeoutError" },
      { fault: REQUEST_FAULTS.unauthorized(), name: "DaytonaAuthenticationError" },
      { fault: REQUEST_FAULTS.forbidden(), name: "DaytonaAuthorizationError" },
      { fault: REQUEST_FAULTS.rateLimit(), name: "DaytonaRateLimitError" },
      { fault: REQUEST_FAULTS.html(502), name: "DaytonaBadGatewayError" },
    ])("$name is what the SDK throws, and it asks once", async ({ fault, name }) => {
      const armed = yard.fake.faults.onRequest(CREATE, fault, { times: 2 });
      expect(await failure(yard.daytona.create())).toMatchObject({ name });
      expect(armed.hits).toBe(1);
      armed.disarm();
    });

    test("a page where JSON was due is a sandbox without an id", async () => {
      const path = new RegExp(`^/api/sandbox/${sandbox.id}$`);
      yard.fake.faults.onRequest({ method: "GET", path }, REQUEST_FAULTS.html());
      const asked = yard.daytona.get(sandbox.id);
      expect(await failure(asked.then((found) => found.refreshData()))).toMatchObject({});
    });

    test("a connection that is reset is tried again only where that does no harm", async () => {
      const reads = yard.fake.faults.onRequest({ method: "GET" }, { kind: "reset" }, { times: 2 });
      expect((await yard.daytona.get(sandbox.id)).id).toBe(sandbox.id);
      expect(reads.hits).toBe(2);
      const before = yard.fake.sandboxes.list().length;
      yard.fake.faults.onRequest(CREATE, { kind: "reset-after" });
      expect(await failure(yard.daytona.create())).toMatchObject({
        name: "DaytonaConnectionError",
      });
      // The service made it, and nobody was told.
      const [lost] = yard.fake.sandboxes.list().slice(before);
      expect(lost?.state).toBe("started");
      if (lost) await yard.fake.sandboxes.destroy(lost);
    });

    test("a request that is never answered waits as long as the SDK was told to", async () => {
      const armed = yard.fake.faults.onRequest(CREATE, { kind: "silence" });
      const late = failure(yard.daytona.create({}, { timeout: 1 }));
      expect(await late).toMatchObject({
        name: "DaytonaTimeoutError",
        message: expect.stringContaining("within 1 seconds"),
      });
      expect(armed.hits).toBe(1);
    });

    test("a wrong key is refused by every part of the service", async () => {
      const { Daytona } = await (await import("./sdk.ts")).loadSdk();
      await using stranger = new Daytona({ apiKey: "wrong", apiUrl: yard.fake.url, target: "us" });
      expect(await failure(stranger.get(sandbox.id))).toMatchObject({ statusCode: 401 });
      const answer = await fetch(`${new URL(yard.fake.url).origin}/toolbox/${sandbox.id}/work-dir`);
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ source: "DAYTONA_PROXY", code: "UNAUTHORIZED" });
    });
  });

  describe("sandboxes", () => {
    test("one that starts slowly is waited for; one that fails says why", async () => {
      const ready = Promise.withResolvers<void>();
      yard.fake.faults.onCreate({ kind: "slow", until: ready.promise });
      const making = yard.daytona.create({ name: "slow" });
      await once(yard.fake.events, "poll");
      expect(yard.fake.sandboxes.get("slow").state).toBe("creating");
      ready.resolve();
      const slow = await making;
      expect(slow.state).toBe("started");
      await slow.delete();
      yard.fake.faults.onCreate({ kind: "error", reason: "no runner has room" });
      expect(await failure(yard.daytona.create({ name: "failing" }))).toMatchObject({
        message: expect.stringContaining("no runner has room"),
      });
    });

    test("one made from an image tells of its build", async () => {
      const lines: string[] = [];
      const onSnapshotCreateLogs = (line: string): void => void lines.push(line);
      const built = await yard.daytona.create({ image: "debian:12" }, { onSnapshotCreateLogs });
      expect(built.state).toBe("started");
      expect(lines.join("\n")).toContain("Simulated build");
      await built.delete();
    });

    test("over the quota nothing is made, and the limit is named", async () => {
      const { total } = yard.fake.quota;
      const before = { ...total };
      Object.assign(total, { cpu: 1 });
      const count = yard.fake.sandboxes.list().length;
      expect(await failure(yard.daytona.create())).toMatchObject({
        name: "DaytonaValidationError",
        message: "Total CPU limit exceeded. Maximum allowed: 1",
      });
      expect(yard.fake.sandboxes.list()).toHaveLength(count);
      Object.assign(total, before);
    });

    test("auto-stop takes a program that works in silence; an open terminal keeps it off", async () => {
      const idle = await yard.daytona.create({ autoStopInterval: 15 });
      const { terminal } = await yard.terminal(idle);
      await yard.fake.clock.advance(20 * MINUTE_MS);
      await idle.refreshData();
      expect(idle.state).toBe("started");
      await terminal.disconnect();
      await idle.process.createSession("silent");
      const command = { command: "sleep 600", runAsync: true };
      const silent = await idle.process.executeSessionCommand("silent", command);
      await yard.fake.clock.advance(20 * MINUTE_MS);
      await idle.refreshData();
      expect(idle.state).toBe("stopped");
      const asked = failure(idle.process.getSessionCommand("silent", silent.cmdId));
      expect(await asked).toMatchObject({ statusCode: 400 });
      await idle.delete();
    });

    test("one that is stopped, archived or deleted under a turn ends it without an exit code", async () => {
      const turn = await yard.daytona.create();
      const { terminal } = await yard.terminal(turn);
      const waited = terminal.wait();
      const found = yard.fake.sandboxes.get(turn.id);
      await yard.fake.sandboxes.force(found, "archived");
      expect(await waited).toMatchObject({ exitCode: undefined });
      await turn.refreshData();
      expect(turn.state).toBe("archived");
      await yard.fake.sandboxes.destroy(found);
      expect(await failure(turn.refreshData())).toMatchObject({ statusCode: 404 });
      expect(await failure(turn.process.executeCommand("true"))).toMatchObject({ statusCode: 404 });
    });

    test("an ephemeral one is gone when it stops", async () => {
      const brief = await yard.daytona.create({ ephemeral: true });
      await brief.stop();
      expect(brief.state).toBe("destroyed");
    });
  });
});
