import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiClient } from "../../test/support/api-client.ts";
import { createSmallAgents } from "../../test/support/small-agents.ts";
import { SandboxYard } from "../../test/support/sandbox-yard.ts";
import { ERROR_CODES } from "../errors/codes.ts";
import { CattlegridError } from "../errors/error.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import { createEngineEvents } from "../sandbox/engine-events.ts";
import type { Sessions } from "../session/sessions.ts";
import { createServer, type Server } from "./server.ts";

let yard: SandboxYard;
let server: Server;
let api: ApiClient;
let calls: string[];
const uid = process.getuid!();

const noSession = async (): Promise<never> => {
  throw new CattlegridError("SESSION_NOT_FOUND", "There is no such session.");
};

/** A daemon in which no session was ever made. */
const sessions = {
  get: noSession,
  list: async () => [],
  countOpen: () => 0,
} as Partial<Sessions> as Sessions;

async function serve(owner = `local:${uid}`): Promise<void> {
  calls = [];
  server = createServer({
    engine: {
      ...yard.engineParts,
      agents: createSmallAgents(),
      sessions,
      events: createEngineEvents(),
      probe: async (signal) => ({ providers: await yard.sandboxes.probe(signal), probes: [] }),
    },
    facts: {
      version: "1.2.3",
      stateDirectory: "/state",
      startedAt: "now",
      owner,
    },
    control: {
      shutDown: () => void calls.push("shut down"),
      reset: async () => {
        calls.push("reset");
        return { unreached: [] };
      },
    },
    logger: SILENT_LOGGER,
  });
  mkdirSync(join(yard.root, "run"), { recursive: true, mode: 0o700 });
  await server.listen(join(yard.root, "run/api.sock"));
  api = new ApiClient(join(yard.root, "run/api.sock"));
}

beforeEach(async () => {
  yard = await SandboxYard.open();
  await serve();
});
afterEach(async () => {
  await server.close();
  await yard.close();
  yard.remove();
});

const wanted = (): object => ({ agent: "shell", workspace: yard.workspace });

describe("the API", () => {
  test.each([
    ["a document", "/v1/version"],
    ["a refusal", "/v1/nothing"],
  ])("says with %s which API it speaks", async (_title, path) => {
    const answer = await api.open(path);
    answer.resume();
    expect(answer.headers).toMatchObject({
      "cattlegrid-api": "1.1",
      "cattlegrid-version": "1.2.3",
    });
  });

  test("says what it is, and listens for its owner only", async () => {
    const { body } = await api.call("/v1/version");
    expect(body).toEqual({
      version: "1.2.3",
      api: { major: 1, minor: 1 },
      pid: process.pid,
      startedAt: "now",
      stateDirectory: "/state",
      sandboxesRunning: 0,
      sessionsOpen: 0,
    });
    expect(statSync(api.socket).mode & 0o777).toBe(0o600);
  });

  test("makes a sandbox once, and finds it by id and by name", async () => {
    const first = await api.call("/v1/sandboxes", { body: wanted() });
    const again = await api.call("/v1/sandboxes", { body: wanted() });
    expect([first.status, again.status]).toEqual([201, 200]);
    for (const key of [first.body["id"], first.body["name"]]) {
      const { body } = await api.call(`/v1/sandboxes/${String(key)}`);
      expect(body).toEqual(first.body);
    }
    expect((await api.call("/v1/sandboxes")).body).toEqual({ sandboxes: [first.body] });
  });

  test("starts with events for who wants them, and with an answer for who does not", async () => {
    await api.call("/v1/sandboxes", { body: { ...wanted(), name: "mine" } });
    const events: unknown[] = [];
    for await (const event of api.events("/v1/sandboxes/mine/start", { body: {} })) {
      events.push(event);
    }
    const running = expect.objectContaining({ name: "mine", status: "running" });
    expect(events).toEqual([{ type: "sandbox-start", sandbox: running }]);
    const again = await api.call("/v1/sandboxes/mine/start", { method: "POST" });
    expect([again.status, again.body]).toEqual([200, running]);
    const stopped = await api.call("/v1/sandboxes/mine/stop", { method: "POST" });
    expect(stopped.body["status"]).toBe("stopped");
  });

  test("answers a start that fails at once with its own status, with events or without", async () => {
    await api.call("/v1/sandboxes", { body: { ...wanted(), name: "mine" } });
    for (const accept of ["application/json", "text/event-stream"]) {
      yard.provider.beforeStart = async () => {
        throw new CattlegridError("RUNTIME_MISSING", "There is no runtime.");
      };
      const answer = await api.call("/v1/sandboxes/mine/start", { body: {}, accept });
      expect([answer.status, answer.body["code"]]).toEqual([503, "RUNTIME_MISSING"]);
    }
  });

  test("gives up a start whose only client went away", async () => {
    await api.call("/v1/sandboxes", { body: { ...wanted(), name: "mine" } });
    const entered = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    yard.provider.beforeStart = async (signal) => {
      entered.resolve();
      signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
    };
    const client = new AbortController();
    const call = api.call("/v1/sandboxes/mine/start", { body: {}, signal: client.signal });
    const outcome = Promise.allSettled([call]);
    await entered.promise;
    client.abort();
    await aborted.promise;
    expect(await outcome).toMatchObject([{ status: "rejected" }]);
  });

  test("removes, and is as content when there is nothing left to remove", async () => {
    const { body } = await api.call("/v1/sandboxes", { body: wanted() });
    const path = `/v1/sandboxes/${String(body["id"])}`;
    expect((await api.call(path, { method: "DELETE" })).status).toBe(204);
    expect((await api.call(path, { method: "DELETE" })).body["code"]).toBe("SANDBOX_NOT_FOUND");
  });

  test("keeps an ephemeral sandbox for as long as a lease is held", async () => {
    const { body } = await api.call("/v1/sandboxes", { body: { ...wanted(), ephemeral: true } });
    const path = `/v1/sandboxes/${String(body["id"])}`;
    const lease = await api.open(`${path}/lease`);
    expect(lease.statusCode).toBe(200);
    expect((await api.call(path)).status).toBe(200);
    lease.destroy();
    await expect.poll(async () => (await api.call(path)).status).toBe(404);
  });

  test("shows its agents", async () => {
    const { agents } = (await api.call("/v1/agents")).body as { agents: { id: string }[] };
    expect(agents.map(({ id }) => id)).toEqual(["shell", "other"]);
    expect(agents[0]).toMatchObject({ credentials: ["AGENT_KEY"], takesPrompts: false });
  });

  test("shows probes, and is told to reset and to go", async () => {
    expect((await api.call("/v1/doctor")).body).toEqual({
      probes: [{ name: "process", status: "ok", detail: "host processes" }],
      providers: [
        {
          id: "process",
          status: "ok",
          probes: [{ name: "process", status: "ok", detail: "host processes" }],
        },
      ],
    });
    expect((await api.call("/v1/reset", { method: "POST" })).status).toBe(200);
    expect((await api.call("/v1/shutdown", { method: "POST" })).status).toBe(202);
    await expect.poll(() => calls).toEqual(["reset", "shut down", "shut down"]);
  });
});

describe("a request that is wrong", () => {
  test.each<[string, object, string]>([
    ["an unknown field", { agent: "shell", colour: "red" }, "REQUEST_INVALID"],
    ["a field of another type", { agent: 7 }, "REQUEST_INVALID"],
    ["a bad name", { agent: "shell", name: "../x" }, "NAME_INVALID"],
    ["an unknown agent", { agent: "nobody" }, "AGENT_UNKNOWN"],
    ["a missing workspace", { agent: "shell", workspace: "/nonexistent" }, "WORKSPACE_MISSING"],
    ["a forbidden workspace", { agent: "shell", workspace: "/etc" }, "WORKSPACE_FORBIDDEN"],
    [
      "a mode to come",
      { agent: "shell", mode: "overlay", workspace: "W" },
      "WORKSPACE_MODE_UNAVAILABLE",
    ],
    ["an unknown preset", { agent: "shell", policy: { preset: "x" } }, "POLICY_UNKNOWN"],
    ["a bad rule", { agent: "shell", allow: ["a b"] }, "POLICY_INVALID"],
    ["a bad mirror", { agent: "shell", mirrors: { targets: "x" } }, "MIRROR_INVALID"],
  ])("%s is answered as a problem with code and hint", async (_title, body, code) => {
    const text = JSON.stringify(body).replace('"W"', JSON.stringify(yard.workspace));
    const answer = await api.call("/v1/sandboxes", { raw: text });
    expect(answer.type).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({
      type: "about:blank",
      status: answer.status,
      code,
      fault: "user",
      detail: expect.stringMatching(/.{10}/),
      hint: expect.stringMatching(/.{10}/),
    });
    expect(answer.status).toBe(ERROR_CODES[code as keyof typeof ERROR_CODES].httpStatus);
    expect((await api.call("/v1/sandboxes")).body).toEqual({ sandboxes: [] });
  });

  test("a policy file is answered with its file, line and what to do", async () => {
    const file = { path: "/x/policy.yaml", text: "allow:\n  - host: 'not a host'\n" };
    const { body } = await api.call("/v1/sandboxes", { body: { ...wanted(), policy: { file } } });
    expect(body).toMatchObject({ code: "POLICY_INVALID", hint: expect.stringMatching(/.{10}/) });
    expect(body["detail"]).toMatch(/\/x\/policy\.yaml:2/);
  });

  test("no value of a request comes back in its refusal", async () => {
    const secrets = { KEY: 7, "not a name": "hunter2" };
    const body = { argv: ["true"], secrets };
    await api.call("/v1/sandboxes", { body: { ...wanted(), name: "mine" } });
    const { text } = await api.call("/v1/sandboxes/mine/exec", { body });
    expect(text).toContain("REQUEST_INVALID");
    expect(text).not.toContain("hunter2");
  });

  test.each<[string, string, object]>([
    ["broken JSON", "/v1/sandboxes", { raw: "{" }],
    ["a path that is none", "/v1/nothing", {}],
    ["a method that is none", "/v1/version", { method: "PUT" }],
  ])("%s is REQUEST_INVALID", async (_title, path, call) => {
    expect((await api.call(path, call)).body["code"]).toBe("REQUEST_INVALID");
  });

  test.each([
    ["GET", "/v1/sandboxes/none", "SANDBOX_NOT_FOUND"],
    ["POST", "/v1/sandboxes/none/start", "SANDBOX_NOT_FOUND"],
    ["POST", "/v1/sandboxes/none/stop", "SANDBOX_NOT_FOUND"],
    ["GET", "/v1/sandboxes/none/egress", "SANDBOX_NOT_FOUND"],
    ["GET", "/v1/sandboxes/none/lease", "SANDBOX_NOT_FOUND"],
    ["GET", "/v1/sessions/none", "SESSION_NOT_FOUND"],
    ["GET", "/v1/sessions/none/events", "SESSION_NOT_FOUND"],
    ["DELETE", "/v1/sessions/none", "SESSION_NOT_FOUND"],
  ])("%s %s is %s", async (method, path, code) => {
    expect((await api.call(path, { method })).body["code"]).toBe(code);
  });
});

describe("somebody else", () => {
  test("is known by the kernel's word and may do nothing", async () => {
    await server.close();
    await serve("local:4242");
    for (const [method, path] of [
      ["GET", "/v1/version"],
      ["POST", "/v1/reset"],
    ] as const) {
      const { status, body } = await api.call(path, { method });
      expect([status, body["code"]]).toEqual([403, "NOT_AUTHORISED"]);
    }
    expect(calls).toEqual([]);
  });

  test("finds no sandbox of another owner, and may not use one by its id", async () => {
    const { sandbox } = await yard.sandboxes.create("local:4242", {
      agent: "shell",
      name: "theirs",
    });
    expect((await api.call("/v1/sandboxes")).body).toEqual({ sandboxes: [] });
    expect((await api.call("/v1/sandboxes/theirs")).body["code"]).toBe("SANDBOX_NOT_FOUND");
    const byId = await api.call(`/v1/sandboxes/${sandbox.id}`, { method: "DELETE" });
    expect(byId.body["code"]).toBe("NOT_AUTHORISED");
    expect((await yard.sandboxes.get(sandbox.id)).name).toBe("theirs");
  });
});

describe("the socket", () => {
  test("is taken away only when nobody is connected", async () => {
    const connection = connect(api.socket);
    await once(connection, "connect");
    await expect.poll(() => server.countConnections()).toBeGreaterThan(0);
    expect(await server.retire()).toBe(false);
    expect((await api.call("/v1/version")).status).toBe(200);
    connection.destroy();
    await expect.poll(() => server.countConnections()).toBe(0);
    expect(await server.retire()).toBe(true);
    expect(existsSync(api.socket)).toBe(false);
  });

  test("leaves its name to a successor, while who waits for an answer still waits", async () => {
    await api.call("/v1/sandboxes", { body: { ...wanted(), name: "mine" } });
    const lease = await api.open("/v1/sandboxes/mine/lease");
    const cut = new Promise((resolve) => lease.once("error", resolve));
    await server.stopListening();
    expect([existsSync(api.socket), server.countConnections()]).toEqual([false, 1]);
    writeFileSync(api.socket, "the successor's");
    await server.close();
    lease.resume();
    await cut;
    expect(readFileSync(api.socket, "utf8")).toBe("the successor's");
  });

  test("that a killed daemon left is replaced; one with too long a path is refused", async () => {
    await server.close();
    await serve();
    const long = join(yard.root, "x".repeat(108));
    await expect(server.listen(long)).rejects.toMatchObject({ code: "SOCKET_PATH_TOO_LONG" });
    chmodSync(api.socket, 0o600);
  });
});
