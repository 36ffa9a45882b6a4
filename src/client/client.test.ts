import { mkdirSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SessionYard } from "../../test/support/session-yard.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import type { EngineEvent } from "../protocol/engine-event.ts";
import { createServer, type Server } from "../server/server.ts";
import { createClient, type Cattlegrid } from "./client.ts";
import { runProcess } from "./process-run.ts";

let yard: SessionYard;
let server: Server;
let cattlegrid: Cattlegrid;

beforeEach(async () => {
  yard = await SessionYard.open();
  const { engine } = yard;
  server = createServer({
    engine,
    facts: {
      version: "1",
      stateDirectory: "/s",
      startedAt: "now",
      owner: `local:${process.getuid!()}`,
    },
    control: { shutDown: () => undefined, reset: async () => ({ unreached: [] }) },
    logger: SILENT_LOGGER,
  });
  mkdirSync(join(yard.root, "run"), { mode: 0o700 });
  const socket = join(yard.root, "run/api.sock");
  await server.listen(socket);
  cattlegrid = createClient(socket);
});
afterEach(async () => {
  await cattlegrid.close();
  await server.close();
  await yard.close();
});

async function openSandbox(): Promise<string> {
  const body = { agent: "tool", name: "mine", workspace: join(yard.root, "work") };
  const { id } = await cattlegrid.createSandbox({ body });
  await cattlegrid.startSandbox({ id });
  return id;
}

describe("a client", () => {
  test("calls operations by their names, with what the path and the body want", async () => {
    const id = await openSandbox();
    const { name, status } = await cattlegrid.getSandbox({ id: "mine" });
    expect([name, status]).toEqual(["mine", "running"]);
    expect((await cattlegrid.listSandboxes({})).sandboxes).toHaveLength(1);
    expect(await cattlegrid.removeSandbox({ id })).toBeUndefined();
    await expect(cattlegrid.getSandbox({ id })).rejects.toMatchObject({
      code: "SANDBOX_NOT_FOUND",
      hint: expect.any(String),
    });
  });

  test("follows a start and a turn as they go on", async () => {
    const id = await openSandbox();
    const started = await Array.fromAsync(cattlegrid.startSandbox.events({ id }));
    expect(started.map(({ type }) => type)).toEqual(["sandbox-start"]);
    const body = { kind: "turns", secrets: { TOOL_KEY: "k" } } as const;
    const session = await cattlegrid.createSession({ id, body });
    const turn = cattlegrid.runTurn({ id: session.id, body: { prompt: "echo hello" } });
    const events = await Array.fromAsync(turn);
    expect(events.at(-1)).toMatchObject({ type: "turn-end", answer: "hello" });
  });

  test("runs a program and keeps every byte of both streams", async () => {
    const id = await openSandbox();
    const script = "head -c 3000000 /dev/zero | tr '\\0' x; echo no >&2; exit 3";
    const finished = await runProcess(cattlegrid, id, { argv: ["sh", "-c", script] });
    expect([finished.exitCode, finished.stdout.length]).toEqual([3, 3_000_000]);
    expect([finished.stderr, finished.ending.kind]).toEqual(["no\n", "exited"]);
  });

  test("types into a terminal, resizes it, and is told how it ended", async () => {
    const id = await openSandbox();
    const terminal = { columns: 80, rows: 24 };
    const argv = ["sh", "-c", 'read -r line; echo "got $line"'];
    const { terminalId } = await cattlegrid.executeInSandbox({ id, body: { argv, terminal } });
    await using attached = await cattlegrid.attachTerminal(terminalId);
    attached.resize({ columns: 100, rows: 30 });
    await attached.write("hello\n");
    const chunks: Uint8Array[] = [];
    for await (const { bytes } of attached.output) chunks.push(bytes);
    expect(Buffer.concat(chunks).toString()).toContain("got hello");
    expect(await attached.ended).toMatchObject({ kind: "exited", code: 0 });
    await expect(cattlegrid.attachTerminal("none")).rejects.toMatchObject({
      code: "TERMINAL_NOT_FOUND",
    });
  });

  test("follows events from where it was, and lets go when it is told to", async () => {
    const reader = new AbortController();
    const seen: EngineEvent[] = [];
    const { signal } = reader;
    const following = (async () => {
      for await (const event of cattlegrid.followEvents({ signal })) {
        seen.push(event);
        if (event.type === "sandbox" && event.status === "running") break;
      }
    })();
    // The stream is open once the daemon counts a second connection.
    await expect.poll(() => server.countConnections()).toBeGreaterThan(0);
    const id = await openSandbox();
    await following;
    const lastEventId = seen[0]!.id;
    for await (const event of cattlegrid.followEvents({ lastEventId, signal })) {
      expect(event).toMatchObject({ type: "sandbox", sandboxId: id, status: "starting" });
      break;
    }
    reader.abort();
    await expect.poll(() => server.countConnections()).toBe(0);
  });
});

describe("before it asks for anything, a client reads the daemon's version", () => {
  async function ask(api: string): Promise<{ asked: string[]; outcome: unknown }> {
    const asked: string[] = [];
    const old = createHttpServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.setHeader("cattlegrid-api", api).end("{}");
    });
    const socket = join(yard.root, "old.sock");
    await new Promise<void>((resolve) => old.listen(socket, resolve));
    const client = createClient(socket);
    const outcome = await client.getOpenApi({}).catch((error: unknown) => error);
    await client.listAgents({}).catch((error: unknown) => error);
    old.close();
    return { asked, outcome };
  }

  test("and does not ask an older one for what it lacks", async () => {
    const { asked, outcome } = await ask("1.0");
    expect(outcome).toMatchObject({ code: "DAEMON_VERSION_MISMATCH" });
    expect(asked).toEqual(["GET /v1/version", "GET /v1/agents"]);
  });

  test("and asks a newer one as ever", async () => {
    expect((await ask("1.99")).asked).toEqual([
      "GET /v1/version",
      "GET /v1/openapi.json",
      "GET /v1/agents",
    ]);
  });

  test("and believes nothing of another major", async () => {
    const { asked, outcome } = await ask("2.0");
    expect(outcome).toMatchObject({ code: "DAEMON_VERSION_MISMATCH" });
    expect(new Set(asked)).toEqual(new Set(["GET /v1/version"]));
  });
});
