import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { RawDaytona } from "../support/daytona-client.ts";
import { DAYTONA_NEEDS, openFakeDaytona } from "../support/fake-daytona.ts";

describe.skipIf(!DAYTONA_NEEDS.met)(DAYTONA_NEEDS.title("terminals of the fake Daytona"), () => {
  let fake: FakeDaytona;
  let client: RawDaytona;
  let sandbox: string;
  beforeAll(async () => {
    fake = await openFakeDaytona();
    client = new RawDaytona(fake);
    sandbox = await client.make();
  });
  afterAll(() => fake[Symbol.asyncDispose]());

  test("a terminal says that it is connected, and runs an interactive login shell for real", async () => {
    const terminal = client.terminal(sandbox, "login");
    await terminal.untilConnected();
    expect(terminal.controls).toEqual([{ type: "control", status: "connected" }]);
    terminal.type("shopt -q login_shell && echo login:$-; stty size; exit 7\n");
    expect(await terminal.closed).toEqual({
      code: 1011,
      reason: '{"exitCode":7,"exitReason":"non-zero exit"}',
    });
    expect(terminal.output).toMatch(/login:\w*i/);
    expect(terminal.output).toContain("24 80");
    expect(terminal.controls.at(-1)).toEqual({
      type: "control",
      status: "exited",
      exitCode: 7,
      exitReason: "(non-zero exit)",
    });
  });

  test("the last byte comes before the exit", async () => {
    const terminal = client.terminal(sandbox, "tail");
    await terminal.untilConnected();
    terminal.type(
      "stty -echo; exec sh -c 'head -c 300000 /dev/zero | tr \"\\0\" x; echo the-end'\n",
    );
    expect(await terminal.closed).toEqual({ code: 1000, reason: '{"exitCode":0}' });
    expect(terminal.output).toMatch(/x{300000}the-end\r\n$/);
    expect(terminal.controls.at(-1)).toMatchObject({ status: "exited", exitCode: 0 });
  });

  test("a dropped client sees no close frame, the program runs on, and nothing is told twice", async () => {
    const fault = fake.faults.onTerminal(
      { terminalId: /^dropped$/ },
      { kind: "drop", afterBytes: 1 },
    );
    const first = client.terminal(sandbox, "dropped");
    expect(await first.closed).toEqual({ code: 1006, reason: "" });
    expect(fault.hits).toBe(1);
    const again = client.attach(sandbox, "dropped");
    await again.untilConnected();
    again.type("echo still-$((40+2)); exit\n");
    expect(await again.closed).toMatchObject({ code: 1000 });
    expect(again.output).toContain("still-42");
  });

  test("a lost tail is lost though the exit is told", async () => {
    fake.faults.onTerminal({ terminalId: /^lost$/ }, { kind: "lose-tail", bytes: 9 });
    const terminal = client.terminal(sandbox, "lost");
    await terminal.untilConnected();
    terminal.type("stty -echo; exec sh -c 'echo whole; echo the-end'\n");
    expect(await terminal.closed).toEqual({ code: 1000, reason: '{"exitCode":0}' });
    expect(terminal.output).toMatch(/whole\r\n$/);
  });

  test("a second terminal with the same id is refused before it is a WebSocket", async () => {
    const terminal = client.terminal(sandbox, "twice");
    await terminal.untilConnected();
    const refused = (await client.terminal(sandbox, "twice").closed) as {
      status: number;
      body: string;
    };
    expect(refused.status).toBe(409);
    expect(JSON.parse(refused.body)).toMatchObject({ code: "CONFLICT", source: "DAYTONA_DAEMON" });
    const { status } = await client.toolbox(sandbox)("DELETE", "/process/pty/twice");
    expect(status).toBe(200);
    expect(await terminal.closed).toEqual({
      code: 1011,
      reason: '{"exitCode":137,"exitReason":"SIGKILL"}',
    });
  });
});
