import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiClient, type Answer } from "../../test/support/api-client.ts";
import { SessionYard } from "../../test/support/session-yard.ts";
import { filesHolding } from "../../test/support/traces.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import { createServer, type Server } from "./server.ts";

const CANARY = "canary-4c1d9e77-value";

let yard: SessionYard;
let server: Server;
let api: ApiClient;

beforeEach(async () => {
  yard = await SessionYard.open();
  const { engine } = yard;
  server = createServer({
    engine,
    facts: {
      version: "1",
      stateDirectory: "/state",
      startedAt: "now",
      owner: `local:${process.getuid!()}`,
    },
    control: { shutDown: () => undefined, reset: async () => ({ unreached: [] }) },
    logger: SILENT_LOGGER,
  });
  mkdirSync(join(yard.root, "run"), { mode: 0o700 });
  await server.listen(join(yard.root, "run/api.sock"));
  api = new ApiClient(join(yard.root, "run/api.sock"));
});
afterEach(async () => {
  await server.close();
  await yard.close();
});

function set(name: string, body: object = { value: CANARY }): Promise<Answer> {
  return api.call(`/v1/secrets/${name}`, { method: "PUT", body });
}

function bind(name: string, body: object): Promise<Answer> {
  return api.call(`/v1/secrets/${name}/bindings`, { body });
}

async function open(name: string, more: object = {}): Promise<void> {
  const body = {
    agent: "tool",
    name,
    workspace: join(yard.root, "work"),
    ephemeral: true,
    ...more,
  };
  expect((await api.call("/v1/sandboxes", { body })).status).toBe(201);
  await api.call(`/v1/sandboxes/${name}/start`, { body: {} });
}

/** What a session's agent finds in a variable, as its exit status tells: 0 nothing, 1 the canary, 2 something else. */
async function ask(sandbox: string, variable: string, more: object = {}): Promise<unknown> {
  const script = `[ -z "$${variable}" ] && exit 0; [ "$${variable}" = ${CANARY.slice(0, 6)}"${CANARY.slice(6)}" ] && exit 1; exit 2`;
  const body = { kind: "interactive", arguments: [script], argumentRule: "append", ...more };
  const answer = await api.call(`/v1/sandboxes/${sandbox}/sessions`, { body });
  if (answer.status >= 400) return answer.body;
  const events = await Array.fromAsync(
    api.events(`/v1/sessions/${String(answer.body["id"])}/events`),
  );
  expect(JSON.stringify(events)).not.toContain(CANARY);
  return (events.at(-1) as { exitCode: number }).exitCode;
}

const signIn = { secrets: { TOOL_KEY: "own" } };

describe("a secret", () => {
  test("is kept, listed, replaced and removed, and no answer has its value", async () => {
    const answers = [
      await set("key"),
      await set("ref", { reference: { kind: "file", path: "/a/b" } }),
      await api.call("/v1/secrets"),
      await set("key", { value: `${CANARY}2` }),
      await bind("key", { agent: "tool", variable: "X" }),
      await api.call("/v1/secrets/key/bindings?variable=X", { method: "DELETE" }),
      await api.call("/v1/vault/rotate", { body: {} }),
      await api.call("/v1/secrets/key", { method: "DELETE" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 200, 204]);
    expect(answers.map(({ text }) => text).join("\n")).not.toContain(CANARY);
    const { body } = await api.call("/v1/secrets");
    const changedAt = expect.any(String);
    const reference = { kind: "file", path: "/a/b" };
    const title = join(yard.root, "state/vault/key");
    expect(body).toEqual({
      secrets: [{ name: "ref", reference, changedAt, bindings: [] }],
      key: { place: "file", title, underEarlierKeys: 0 },
    });
    expect((await api.call("/v1/secrets/key", { method: "DELETE" })).status).toBe(404);
  });

  test.each<[string, string, object]>([
    ["nothing", "key", {}],
    ["an empty value", "key", { value: "" }],
    ["a value with a NUL in it", "key", { value: `${CANARY}\0` }],
    ["a value that is no text", "key", { value: `${CANARY}\ud800` }],
    ["a value that is too long", "key", { value: CANARY.repeat(4000) }],
    ["both", "key", { value: CANARY, reference: { kind: "file", path: "/a" } }],
    ["a number", "key", { value: 7 }],
    ["a reference of two lines", "key", { reference: { kind: "command", command: "a\nb" } }],
    ["a field that is not known", "key", { value: CANARY, valeu: CANARY }],
    ["a name that leads elsewhere", "..%2Fkey", { value: CANARY }],
    ["a name of nothing but spaces", "%20", { value: CANARY }],
  ])("is not kept: %s; and the refusal repeats no value", async (_title, name, body) => {
    const { status, text } = await set(name, body);
    expect(status).toBe(400);
    expect(text).not.toContain("canary");
    expect((await api.call("/v1/secrets")).body["secrets"]).toEqual([]);
  });

  test("whose file was cut is listed with the reason, and is no secret to be given", async () => {
    await set("key");
    const path = join(yard.root, "state/vault/secret/key");
    writeFileSync(path, readFileSync(path).subarray(0, -3));
    const { body } = await api.call("/v1/secrets");
    expect(body["secrets"]).toMatchObject([{ name: "key", problem: { code: "VAULT_CORRUPT" } }]);
    await bind("key", { variable: "TOOL_KEY" });
    await open("one");
    expect(await ask("one", "TOOL_KEY")).toMatchObject({ code: "VAULT_CORRUPT" });
  });

  test("whose key is lost is an error that says what to do, and doctor shows it", async () => {
    await set("key");
    rmSync(join(yard.root, "state/vault/key"));
    const { status, body } = await set("other");
    expect([status, body["code"]]).toEqual([500, "VAULT_KEY_LOST"]);
    expect(body["hint"]).toContain("secret rm");
    const { probes } = (await api.call("/v1/doctor")).body as { probes: { name: string }[] };
    expect(probes.find(({ name }) => name === "vault")).toMatchObject({ status: "degraded" });
  });
});

describe("a secret that is bound", () => {
  beforeEach(() => set("key"));

  test("to a variable that an agent declares signs it in, and is in its process tree only", async () => {
    expect((await bind("key", { variable: "TOOL_KEY" })).body["bindings"]).toEqual([
      { variable: "TOOL_KEY", agents: ["tool"] },
    ]);
    const { agents } = (await api.call("/v1/agents")).body as { agents: { id: string }[] };
    expect(agents.find(({ id }) => id === "tool")).toMatchObject({ bindings: { TOOL_KEY: "key" } });
    await open("one");
    expect(await ask("one", "TOOL_KEY")).toBe(1);
    // Its twin: the caller's own key wins.
    expect(await ask("one", "TOOL_KEY", signIn)).toBe(2);
    await open("two", { agent: "shell" });
    const script = '[ -z "$TOOL_KEY" ]';
    expect(await ask("two", "TOOL_KEY", { arguments: ["-c", script] })).toBe(0);
    const body = { argv: ["sh", "-c", `${script} && touch absent`] };
    await api.call("/v1/sandboxes/one/exec", { body });
    const absent = join(yard.root, "work/absent");
    await expect.poll(() => existsSync(absent)).toBe(true);
    expect(filesHolding(yard.root, CANARY)).toEqual([]);
  });

  test("to one agent by name is not another's", async () => {
    await bind("key", { agent: "shell", variable: "TOKEN" });
    await open("one");
    await open("two", { agent: "shell" });
    expect(await ask("one", "TOKEN", signIn)).toBe(0);
    const twin = `[ "$TOKEN" = ${CANARY} ] && exit 1`;
    expect(await ask("two", "TOKEN", { arguments: ["-c", twin] })).toBe(1);
  });

  test("to one sandbox is in its sessions, and shown by name; another has it not", async () => {
    await open("one", { bindings: { TOKEN: "key" } });
    await open("two");
    expect(await ask("one", "TOKEN", signIn)).toBe(1);
    expect(await ask("two", "TOKEN", signIn)).toBe(0);
    expect(await ask("two", "TOKEN", { ...signIn, bindings: { TOKEN: "key" } })).toBe(1);
    const { body, text } = await api.call("/v1/sandboxes/one");
    expect(body["bindings"]).toEqual({ TOKEN: "key" });
    expect(text).not.toContain(CANARY);
  });

  test("and gone is told before anything runs", async () => {
    const missing = { agent: "tool", bindings: { TOKEN: "none" } };
    expect((await api.call("/v1/sandboxes", { body: missing })).body["code"]).toBe(
      "SECRET_NOT_FOUND",
    );
    await open("one", { bindings: { TOKEN: "key" } });
    await bind("key", { variable: "TOOL_KEY" });
    await api.call("/v1/secrets/key", { method: "DELETE" });
    expect(await ask("one", "TOKEN", signIn)).toMatchObject({ code: "SECRET_NOT_FOUND" });
    // Its bindings for every sandbox went with it.
    await open("two");
    expect(await ask("two", "TOOL_KEY", signIn)).toBe(2);
  });

  test.each<[string, object, string]>([
    ["an agent there is not", { agent: "none", variable: "A" }, "AGENT_UNKNOWN"],
    ["a variable that no agent declares", { variable: "A" }, "SECRET_INVALID"],
    ["what is no variable", { variable: "a b" }, "REQUEST_INVALID"],
  ])("to %s is refused", async (_title, body, code) => {
    expect((await bind("key", body)).body["code"]).toBe(code);
    const none = await bind("none", { agent: "tool", variable: "A" });
    expect(none.body["code"]).toBe("SECRET_NOT_FOUND");
  });
});

describe("a reference", () => {
  const reference = { kind: "environment", variable: "MINE" };
  beforeEach(() => set("ref", { reference }));

  test("is the caller's to follow: the refusal says what to get, and with it all goes on", async () => {
    await open("one", { bindings: { TOKEN: "ref" } });
    expect(await ask("one", "TOKEN", signIn)).toMatchObject({
      code: "SECRET_UNRESOLVED",
      details: { references: [{ variable: "TOKEN", secret: "ref", reference }] },
    });
    const secrets = { ...signIn.secrets, TOKEN: CANARY };
    expect(await ask("one", "TOKEN", { secrets })).toBe(1);
  });

  test("holds for a process too", async () => {
    await open("one");
    const body = { argv: ["true"], bindings: { TOKEN: "ref" } };
    const { body: refused } = await api.call("/v1/sandboxes/one/exec", { body });
    expect(refused).toMatchObject({ code: "SECRET_UNRESOLVED" });
  });
});
