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

  test("a client that does not read is dropped as a slow one, and the program runs on", async () => {
    const fault = { kind: "short-queue", chunks: 4 } as const;
    fake.faults.onTerminal({ terminalId: /^slow$/ }, fault);
    const slow = client.terminal(sandbox, "slow");
    await slow.untilConnected();
    slow.type("stty -echo; trap 'touch ~/flooded' EXIT; head -c 16000000 /dev/zero | tr '\\0' x\n");
    slow.socket.pause();
    await untilDropped("slow");
    slow.socket.resume();
    expect(await slow.closed).toEqual({ code: 1008, reason: "slow consumer" });
    const again = client.attach(sandbox, "slow");
    await again.untilConnected();
    again.type("exit\n");
    await again.closed;
    const { status } = await client.toolbox(sandbox)("GET", "/files/info?path=flooded");
    expect(status).toBe(200);
  });

  async function untilDropped(id: string): Promise<void> {
    const terminal = fake.sandboxes.get(sandbox).terminals.get(id);
    while (terminal !== undefined && terminal.clientCount > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  test("a frame over 64 KiB closes the connection, one below passes", async () => {
    const terminal = client.terminal(sandbox, "frames");
    await terminal.untilConnected();
    terminal.type("stty -echo -icanon; echo re''ady; read -rN 60000 all; echo got-${#all}\n");
    await terminal.until(/ready/);
    terminal.socket.send(Buffer.alloc(60_000, "y"));
    await terminal.until(/got-60000/);
    terminal.socket.send(Buffer.alloc(70_000, "y"));
    expect(await terminal.closed).toMatchObject({ code: 1009 });
  });

  test("a half-open connection takes nothing and gives nothing", async () => {
    const fault = { kind: "half-open", afterBytes: 1 } as const;
    const armed = fake.faults.onTerminal({ terminalId: /^half$/ }, fault);
    const terminal = client.terminal(sandbox, "half");
    await armed.struck();
    await terminal.until(/./);
    terminal.type("touch ~/typed\n");
    let isAnswered = false;
    terminal.socket.on("pong", () => (isAnswered = true));
    terminal.socket.ping();
    await client.toolbox(sandbox)("POST", "/process/execute", { command: "true" });
    expect(isAnswered).toBe(false);
    expect((await client.toolbox(sandbox)("GET", "/files/info?path=typed")).status).toBe(404);
    terminal.socket.terminate();
  });

  test("a terminal made the old way starts its shell when a client comes", async () => {
    const toolbox = client.toolbox(sandbox);
    const wish = { id: "old", cols: 99, rows: 9, envs: { OLD: "way" }, lazyStart: true };
    expect(await toolbox("POST", "/process/pty", wish)).toMatchObject({ status: 201 });
    const { json } = await toolbox("GET", "/process/pty/old");
    expect(json).toMatchObject({ cols: 99, rows: 9, active: false, lazyStart: true });
    const terminal = client.attach(sandbox, "old");
    await terminal.untilConnected();
    terminal.type("echo $OLD; stty size; exit\n");
    await terminal.closed;
    expect(terminal.output).toMatch(/way\r\n9 99\r\n/);
  });

  test("a client that offers no token is told of the exit by the close alone", async () => {
    const url = `${client.toolboxUrl(sandbox)}/process/pty/create-connect?id=plain`;
    const terminal = client.socket(url, []);
    await terminal.untilConnected();
    terminal.type("exit 3\n");
    expect(await terminal.closed).toEqual({
      code: 1011,
      reason: '{"exitCode":3,"exitReason":"non-zero exit"}',
    });
    expect(terminal.controls).toHaveLength(1);
  });
});
