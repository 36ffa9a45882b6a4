import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient } from "../../test/support/api-client.ts";
import { ApiSchemas } from "../../test/support/api-schemas.ts";
import { SessionYard } from "../../test/support/session-yard.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import { describeApi } from "../protocol/openapi.ts";
import { ROUTES } from "../protocol/routes/all.ts";
import { createServer, type Server } from "./server.ts";

let yard: SessionYard;
let server: Server;
let api: ApiClient;
let schemas: ApiSchemas;

beforeAll(async () => {
  yard = await SessionYard.open();
  const { engine } = yard;
  server = createServer({
    engine,
    facts: {
      version: "1.2.3",
      stateDirectory: "/state",
      startedAt: new Date().toISOString(),
      owner: `local:${process.getuid!()}`,
    },
    control: { shutDown: () => undefined, reset: async () => ({ unreached: [] }) },
    logger: SILENT_LOGGER,
  });
  mkdirSync(join(yard.root, "run"), { mode: 0o700 });
  const socket = join(yard.root, "run/api.sock");
  await server.listen(socket);
  api = new ApiClient(socket);
  schemas = new ApiSchemas((await api.call("/v1/openapi.json")).body);
  const wanted = { agent: "tool", workspace: join(yard.root, "work"), name: "mine" };
  await api.call("/v1/sandboxes", { body: wanted });
  await api.call("/v1/sandboxes/mine/start", { method: "POST" });
});
afterAll(async () => {
  await server.close();
  await yard.close();
});

function writeTemplate(name: string, text: string): string {
  const directory = join(yard.root, "state/templates", name);
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "cattlegrid.template.yaml");
  writeFileSync(path, text);
  return path;
}

async function expectAnswer(path: string, name: string, body?: unknown): Promise<object> {
  const answer = await api.call(path, body === undefined ? {} : { body });
  expect(schemas.problemsOf(name, answer.body)).toEqual([]);
  return answer.body;
}

async function expectEvents(path: string, name: string, body?: unknown): Promise<string[]> {
  const types: string[] = [];
  for await (const event of api.events(path, body === undefined ? {} : { body })) {
    expect(schemas.problemsOf(name, event)).toEqual([]);
    types.push(String((event as { type?: unknown }).type));
  }
  return types;
}

test("the daemon serves its own document, which is the published one", async () => {
  const { body } = await api.call("/v1/openapi.json");
  expect(body).toEqual(describeApi(ROUTES));
});

describe("real answers are what the document says:", () => {
  test.each([
    ["/v1/version", "DaemonVersion"],
    ["/v1/agents", "AgentList"],
    ["/v1/doctor", "DoctorReport"],
    ["/v1/providers", "ProviderList"],
    ["/v1/sandboxes", "SandboxList"],
    ["/v1/sandboxes/mine", "Sandbox"],
    ["/v1/sandboxes/mine/sessions", "SessionList"],
    ["/v1/sandboxes/none", "Problem"],
    ["/v1/nothing", "Problem"],
  ])("%s is a %s", async (path, name) => {
    await expectAnswer(path, name);
  });

  test("templates, one of them broken, and the parameters of a sandbox that was made from one", async () => {
    writeTemplate(
      "good",
      'version: 1\nagent: tool\nparameters: { n: { type: number, default: 1, mutable: true } }\nenvironment: { N: "${parameters.n}" }\n',
    );
    const path = writeTemplate("bad", "version: 1\nagnt: tool\n");
    const list = await expectAnswer("/v1/templates", "TemplateList");
    expect(list).toMatchObject({
      templates: [{ name: "bad", problem: { code: "TEMPLATE_INVALID" } }, { name: "good" }],
    });
    await expectAnswer("/v1/templates/good", "TemplateDetail");
    await expectAnswer("/v1/templates/good/resolve", "ResolvedTemplate", { parameters: { n: 2 } });
    await expectAnswer("/v1/templates/lint", "TemplateSummary", {
      path: path.replace("bad", "good"),
    });
    await expectAnswer("/v1/templates/lint", "Problem", { path });
    await expectAnswer("/v1/templates/none", "Problem");
    const workspace = join(yard.root, "work");
    const request = { template: { name: "good" }, workspace, name: "templated" };
    await expectAnswer("/v1/sandboxes", "Sandbox", request);
    await expectAnswer("/v1/sandboxes/templated/parameters", "SandboxParameters");
    const set = { method: "PUT", body: { parameters: { n: 3 } } };
    const { body } = await api.call("/v1/sandboxes/templated/parameters", set);
    expect(schemas.problemsOf("SandboxParameters", body)).toEqual([]);
    expect(body).toMatchObject({ parameters: [{ name: "n", value: 1, next: 3 }] });
    await expectAnswer("/v1/sandboxes/templated", "Sandbox");
    await expectAnswer("/v1/sandboxes/mine/parameters", "Problem");
  });

  test("a sandbox that is started again, with events and without", async () => {
    await expectAnswer("/v1/sandboxes/mine/start", "Sandbox", {});
    expect(await expectEvents("/v1/sandboxes/mine/start", "StartEvent", {})).toEqual([
      "sandbox-start",
    ]);
  });

  test("a process, a turn and the session around it", async () => {
    await expectAnswer("/v1/sandboxes/mine/exec", "ProcessStarted", { argv: ["true"] });
    const wanted = { kind: "turns", secrets: { TOOL_KEY: "k" } };
    const path = `/v1/sandboxes/mine/sessions`;
    const { id } = (await expectAnswer(path, "Session", wanted)) as { id: string };
    const turn = { prompt: "echo hello" };
    const told = await expectEvents(`/v1/sessions/${id}/turns`, "TurnEvent", turn);
    expect([told[0], told.at(-1)]).toEqual(["turn-start", "turn-end"]);
    await expectAnswer(`/v1/sessions/${id}`, "Session");
    await api.call(`/v1/sessions/${id}`, { method: "DELETE" });
    const events = await expectEvents(`/v1/sessions/${id}/events`, "SessionEvent");
    expect(events.at(-1)).toBe("session-end");
  });
});

describe("a request that says more than its operation knows is refused:", () => {
  test.each<[string, string, object]>([
    ["a field", "/v1/sandboxes/mine/exec", { body: { argv: ["true"], denny: 1 } }],
    ["a body where none is read", "/v1/sandboxes/mine/stop", { body: { force: true } }],
    ["a query where none is read", "/v1/sandboxes?mine=1", {}],
    ["a query of another name", "/v1/sandboxes/mine/egress?folow=1", {}],
  ])("%s", async (_title, path, call) => {
    const { status, body } = await api.call(path, call);
    expect([status, body["code"]]).toEqual([400, "REQUEST_INVALID"]);
    expect((await api.call("/v1/sandboxes/mine")).body["status"]).toBe("running");
  });
});

test("every operation of the document is served", async () => {
  for (const { method, path, operationId } of schemas.operations) {
    // What becomes another connection is served by the tests of those.
    if (["attachTerminal", "connectPort"].includes(operationId)) continue;
    // A body of the wrong form goes no further than the route.
    const call = { method, ...(method === "GET" ? {} : { body: { unknown: true } }) };
    const answer = await api.open(path.replaceAll(/\{\w+\}/g, "none"), call);
    // A stream that goes on for ever has begun, and so is served.
    const isStream = answer.headers["content-type"] === "text/event-stream";
    const chunks = isStream ? [] : await answer.toArray();
    answer.destroy();
    expect(Buffer.concat(chunks as Buffer[]).toString()).not.toContain("not part of this API");
  }
});
