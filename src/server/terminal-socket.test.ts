import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ApiClient } from "../../test/support/api-client.ts";
import { createSmallAgents } from "../../test/support/small-agents.ts";
import { SandboxYard } from "../../test/support/sandbox-yard.ts";
import { TerminalClient } from "../../test/support/terminal-client.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import { createEngineEvents } from "../sandbox/engine-events.ts";
import type { Sessions } from "../session/sessions.ts";
import { createServer, type Server } from "./server.ts";

/** A busy machine is slow. */
const WAIT = { timeout: 20_000 };
let yard: SandboxYard;
let server: Server;
let api: ApiClient;

beforeEach(async () => {
  yard = await SandboxYard.open();
  const sessions = { countOpen: () => 0 } as Partial<Sessions> as Sessions;
  const owner = `local:${process.getuid!()}`;
  server = createServer({
    engine: {
      ...yard.engineParts,
      agents: createSmallAgents(),
      sessions,
      events: createEngineEvents(),
      probe: async (signal) => ({ providers: await yard.sandboxes.probe(signal), probes: [] }),
    },
    facts: {
      version: "1",
      stateDirectory: "/state",
      startedAt: "now",
      owner,
    },
    control: { shutDown: () => undefined, reset: async () => ({ unreached: [] }) },
    logger: SILENT_LOGGER,
  });
  mkdirSync(join(yard.root, "run"), { mode: 0o700 });
  await server.listen(join(yard.root, "run/api.sock"));
  api = new ApiClient(join(yard.root, "run/api.sock"));
  const body = { agent: "shell", name: "box", workspace: yard.workspace };
  await api.call("/v1/sandboxes", { body });
  await api.call("/v1/sandboxes/box/start", { body: {} });
});
afterEach(async () => {
  await server.close();
  await yard.close();
  yard.remove();
});

async function exec(script: string, more: object = {}): Promise<string> {
  const body = { argv: ["sh", "-c", script], ...more };
  const answer = await api.call("/v1/sandboxes/box/exec", { body });
  expect(answer.status).toBe(201);
  return `/v1/terminals/${String(answer.body["terminalId"])}`;
}
const attach = (path: string): Promise<TerminalClient> => TerminalClient.open(api.socket, path);

async function refusal(path: string): Promise<unknown> {
  const client = new TerminalClient(api.socket, path);
  client.socket.on("error", () => undefined);
  client.closed.catch(() => undefined);
  const [, response] = (await once(client.socket, "unexpected-response")) as [
    unknown,
    AsyncIterable<Buffer>,
  ];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

describe("a terminal over WebSocket", () => {
  test("brings both streams to their last byte, then the ending", async () => {
    const client = await attach(await exec("printf out; printf err >&2; exit 3"));
    expect(await client.closed).toBe(1000);
    expect(client.text()).toBe("out");
    expect(Buffer.concat(client.errors).toString()).toBe("err");
    const terminalId = expect.any(String);
    expect(client.notices).toEqual([
      { type: "attached", terminalId, offset: 0, tty: false },
      { type: "ended", ending: { kind: "exited", code: 3 }, offset: 6 },
    ]);
  });

  test("of an attended program ends it with the last viewer, and of another one does not", async () => {
    const [attended, other] = [
      await exec("sleep 100", { attended: true }),
      await exec("sleep 100"),
    ];
    const clients = [await attach(attended), await attach(attended), await attach(other)];
    const [first, last, viewer] = clients;
    const terminalOf = (path: string) => yard.terminals.get(path.split("/").at(-1)!).terminal;
    const [terminal, unattended] = [terminalOf(attended), terminalOf(other)];
    first!.socket.terminate();
    viewer!.socket.terminate();
    await Promise.all([first!.closed, viewer!.closed].map((each) => each.catch(() => undefined)));
    expect(terminal.endedWith).toBeUndefined();
    last!.socket.terminate();
    expect(await terminal.ended).toMatchObject({ kind: "signalled", signal: "SIGHUP" });
    expect(unattended.endedWith).toBeUndefined();
  });

  test("of an attended program that cannot be hung up is killed after a while", async () => {
    const path = await exec("trap '' HUP; echo ready; sleep 100", { attended: true });
    const client = await attach(path);
    await expect.poll(() => client.text()).toBe("ready\n");
    const { terminal } = yard.terminals.get(path.split("/").at(-1)!);
    client.socket.terminate();
    expect(await terminal.ended).toMatchObject({ kind: "stopped" });
  });

  test("waits for a viewer that comes after the end, and is gone once it was read", async () => {
    const path = await exec("echo late");
    const { terminal } = yard.terminals.get(path.split("/").at(-1)!);
    await terminal.ended;
    const client = await attach(path);
    await client.closed;
    expect(client.text()).toBe("late\n");
    await expect.poll(() => yard.terminals.count()).toBe(0);
    expect(await refusal(path)).toMatchObject({ code: "TERMINAL_NOT_FOUND", status: 404 });
  });

  test("loses no byte of a fast program to a viewer who stops reading, leaves and comes back", async () => {
    const bytes = 8 * 1024 * 1024;
    const path = await exec(`head -c ${bytes} /dev/zero | tr '\\0' x; printf end`);
    const first = await attach(path);
    await expect.poll(() => first.offset).toBeGreaterThan(100_000);
    first.socket.terminate();
    await first.closed;
    const second = await attach(`${path}?offset=${first.offset}`);
    await second.closed;
    const all = Buffer.concat([...first.output, ...second.output]);
    const expected = Buffer.concat([Buffer.alloc(bytes, "x"), Buffer.from("end")]);
    const hash = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
    expect([all.length, hash(all)]).toEqual([expected.length, hash(expected)]);
  });

  test("is sent no more than a window beyond what was acknowledged", async () => {
    const client = new TerminalClient(api.socket, await exec("head -c 4000000 /dev/zero"));
    client.isAcknowledging = false;
    await expect.poll(() => client.offset).toBe(1024 * 1024);
    client.isAcknowledging = true;
    client.control({ type: "acknowledge", offset: client.offset });
    await client.closed;
    expect(client.offset).toBe(4_000_000);
  });

  test("takes input byte for byte, and its end", async () => {
    const client = await attach(await exec("sha256sum"));
    const input = Buffer.alloc(3_000_000, "0123456789\n");
    for (let at = 0; at < input.length; at += 65_536) {
      client.socket.send(input.subarray(at, at + 65_536));
    }
    client.control({ type: "end-input" });
    await client.closed;
    expect(client.text()).toContain(createHash("sha256").update(input).digest("hex"));
  });

  test("lets input and output flow at once, for a client that keeps to the input's window", async () => {
    const client = await attach(await exec("cat"));
    const input = Buffer.alloc(8 * 1024 * 1024, "0123456789\n");
    const taken = (): number =>
      client.notices.reduce((sum, each) => (each.type === "input-taken" ? each.bytes : sum), 0);
    for (let at = 0; at < input.length; at += 65_536) {
      await expect
        .poll(() => at + 65_536 - taken(), { interval: 1 })
        .toBeLessThanOrEqual(1024 * 1024);
      client.socket.send(input.subarray(at, at + 65_536));
    }
    client.control({ type: "end-input" });
    await client.closed;
    expect(Buffer.concat(client.output).equals(input)).toBe(true);
  });

  test.each([
    [
      { type: "signal", signal: "SIGTERM" },
      { kind: "signalled", code: 143, signal: "SIGTERM" },
    ],
    [{ type: "kill" }, { kind: "stopped", code: 137 }],
  ])("does as it is told: %j", async (control, ending) => {
    const client = await attach(await exec("echo ready; exec sleep 1000"));
    await expect.poll(() => client.text()).toBe("ready\n");
    client.control(control);
    await client.closed;
    expect(client.notices.at(-1)).toMatchObject({ type: "ended", ending });
  });

  test("ends a program at its deadline", async () => {
    const client = await attach(await exec("exec sleep 1000", { timeoutMs: 50 }));
    await client.closed;
    expect(client.notices.at(-1)).toMatchObject({ ending: { kind: "timed-out", code: 124 } });
  });

  test("passes the environment and secrets to the process and shows neither", async () => {
    const more = { environment: { A: "1" }, secrets: { AGENT_KEY: "hunter2" } };
    const client = await attach(await exec('echo "$A $AGENT_KEY $AGENT_MARK"', more));
    await client.closed;
    expect(client.text()).toBe("1 hunter2 shell\n");
    const { text } = await api.call("/v1/sandboxes/box");
    expect(text).not.toContain("hunter2");
  });
});

describe("a viewer of the screen over WebSocket", () => {
  const terminal = { terminal: { columns: 80, rows: 24 } };

  test("is sent the screen first, which no offset counts, and then the exact bytes", async () => {
    const path = await exec("printf 'before\\033[1m'; read line; printf \"after $line\"", terminal);
    const first = await attach(path);
    await vi.waitFor(() => expect(first.text()).toContain("before"), WAIT);
    const second = await attach(`${path}?view=screen&columns=90&rows=30`);
    await vi.waitFor(() => expect(second.screens).toHaveLength(1), WAIT);
    expect(second.screens.join("")).toContain("before");
    expect(second.notices[0]).toMatchObject({ type: "attached", offset: first.offset });
    first.socket.send(Buffer.from("it\n"));
    expect(await second.closed).toBe(1000);
    expect(second.text()).toContain("after it");
    expect(second.text()).not.toContain("before");
  });

  test("who may only look types nothing, and who may type does", async () => {
    const path = await exec('read line; echo "got $line"; exec sleep 1000', terminal);
    const looker = await attach(`${path}?access=read`);
    looker.socket.send(Buffer.from("no\n"));
    expect(await looker.closed).toBe(1008);
    const problem = expect.objectContaining({ code: "TERMINAL_READ_ONLY" });
    expect(looker.notices.at(-1)).toEqual({ type: "problem", problem });
    for (const message of [
      { type: "kill" },
      { type: "signal", signal: "SIGINT" },
      { type: "end-input" },
    ]) {
      const other = await attach(`${path}?access=read`);
      other.control(message);
      expect(await other.closed).toBe(1008);
    }
    const typist = await attach(path);
    const watcher = await attach(`${path}?access=read`);
    typist.socket.send(Buffer.from("yes\n"));
    await vi.waitFor(() => expect(watcher.text()).toContain("got yes"), WAIT);
    expect(watcher.text()).not.toContain("got no");
    typist.control({ type: "kill" });
    await watcher.closed;
  });
});

describe("what is wrong", () => {
  test.each([
    ["/v1/terminals/none", "TERMINAL_NOT_FOUND"],
    ["/v1/elsewhere", "REQUEST_INVALID"],
  ])("an attachment to %s is refused with %s", async (path, code) => {
    expect(await refusal(path)).toMatchObject({ code, hint: expect.any(String) });
  });

  test.each([
    ["?offset=7", "TERMINAL_OFFSET_GONE"],
    ["?offset=-1", "REQUEST_INVALID"],
    ["?offset=x", "REQUEST_INVALID"],
    ["?view=film", "REQUEST_INVALID"],
    ["?view=screen&offset=0", "REQUEST_INVALID"],
    ["?view=screen&columns=0&rows=1", "REQUEST_INVALID"],
    ["?access=root", "REQUEST_INVALID"],
  ])("an attachment from %s is refused with %s", async (query, code) => {
    const path = await exec("exec sleep 1000");
    expect(await refusal(path + query)).toMatchObject({ code });
  });

  test.each([["nonsense"], ['{"type":"dance"}'], ['{"type":"signal","signal":"SIGNOTHING"}']])(
    "the control message %s ends the connection, not the program",
    async (message) => {
      const path = await exec("exec sleep 1000");
      const client = await attach(path);
      client.socket.send(message);
      expect(await client.closed).toBe(1008);
      const problem = expect.objectContaining({ code: "REQUEST_INVALID" });
      expect(client.notices.at(-1)).toEqual({ type: "problem", problem });
      const again = await attach(path);
      again.control({ type: "kill" });
      await again.closed;
    },
  );

  test.each<[object, number, string]>([
    [{ argv: ["no-such-program"] }, 404, "COMMAND_NOT_FOUND"],
    [{ argv: [] }, 400, "REQUEST_INVALID"],
    [{ argv: ["true"], environment: { "A=B": "1" } }, 400, "REQUEST_INVALID"],
    [{ argv: ["true"], environment: { A: "1\0" } }, 400, "REQUEST_INVALID"],
  ])("exec of %j is refused", async (body, status, code) => {
    const answer = await api.call("/v1/sandboxes/box/exec", { body });
    expect([answer.status, answer.body["code"]]).toEqual([status, code]);
  });

  test("exec in a sandbox that does not run is refused", async () => {
    await api.call("/v1/sandboxes/box/stop", { method: "POST" });
    const answer = await api.call("/v1/sandboxes/box/exec", { body: { argv: ["true"] } });
    expect(answer.body["code"]).toBe("SANDBOX_NOT_RUNNING");
  });
});
