import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ApiClient, type Answer } from "../../test/support/api-client.ts";
import { SessionYard } from "../../test/support/session-yard.ts";
import { SILENT_LOGGER } from "../platform/logger.ts";
import { createServer, type Server } from "./server.ts";

const OWNER = `local:${process.getuid!()}`;
const BUILT = `version: 1
agent: tool
parameters:
  size: { type: number, default: 2, min: 1, max: 4 }
setup: [{ run: 'echo "$PARAM_SIZE"' }]
`;

let yard: SessionYard;
let server: Server;
let api: ApiClient;

async function listen(owner: string): Promise<void> {
  server = createServer({
    engine: yard.engine,
    facts: { version: "1", stateDirectory: "/state", startedAt: "now", owner },
    control: { shutDown: () => undefined, reset: async () => ({ unreached: [] }) },
    logger: SILENT_LOGGER,
  });
  mkdirSync(join(yard.root, "run"), { mode: 0o700, recursive: true });
  await server.listen(join(yard.root, "run/api.sock"));
  api = new ApiClient(join(yard.root, "run/api.sock"));
}

beforeEach(async () => {
  yard = await SessionYard.open({ installer: "true" });
  const directory = join(yard.root, "state/templates/built");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "cattlegrid.template.yaml"), BUILT);
  await listen(OWNER);
});
afterEach(async () => {
  await server.close();
  await yard.close();
});

/** What a request that came to nothing may not have left. */
async function expectNothingMade(): Promise<void> {
  expect(await yard.provider.layers.list()).toEqual([]);
  expect(existsSync(join(yard.root, "state/builds"))).toBe(false);
  const homes = join(yard.root, "provider/homes");
  expect(existsSync(homes) ? readdirSync(homes) : []).toEqual([]);
}

const problem = ({ status, type, body }: Answer): unknown[] => [status, type, body["code"]];
const PROBLEM = "application/problem+json; charset=utf-8";

/** An event stream that begins ends with why it came to nothing. */
async function buildEnd(name: string, body: object): Promise<Record<string, unknown>> {
  const path = `/v1/templates/${name}/build`;
  const { status, text, body: answer } = await api.call(path, { body });
  if (status !== 200) return answer;
  const [last = ""] = text.trim().split("\n\n").slice(-1);
  const data = /^data: (.*)$/m.exec(last)?.[1] ?? "{}";
  return JSON.parse(data) as Record<string, unknown>;
}

const INVALID = [400, PROBLEM, "REQUEST_INVALID"];

describe("routes of templates", () => {
  test.each<[string, string, unknown]>([
    ["a field that there is not", "/v1/templates/built/build", { nocache: true }],
    ["a word for a switch", "/v1/templates/built/build", { anew: "yes" }],
    ["a list of parameters", "/v1/templates/built/build", { parameters: ["size=2"] }],
    ["a deadline below zero", "/v1/templates/built/build", { installTimeoutMs: -1 }],
    ["mirrors without targets", "/v1/templates/built/build", { mirrors: {} }],
    ["nothing that could be read", "/v1/templates/built/build", "text"],
    ["no age", "/v1/template-layers/collect", {}],
    ["an age below zero", "/v1/template-layers/collect", { olderThanMs: -1 }],
    ["half an age", "/v1/template-layers/collect", { olderThanMs: 0.5 }],
    ["an age in words", "/v1/template-layers/collect", { olderThanMs: "7d" }],
    ["a switch of another", "/v1/template-layers/collect", { olderThanMs: 0, force: true }],
    ["a field that there is not", "/v1/templates/built/resolve", { params: {} }],
    ["no path", "/v1/templates/lint", {}],
    ["an empty path", "/v1/templates/lint", { path: "" }],
    ["no digest", "/v1/templates/approve", { workspace: "/work" }],
    ["a digest that is none", "/v1/templates/approve", { workspace: "/work", digest: 7 }],
    ["no layers", "/v1/prune", { sandboxes: [] }],
    [
      "a layer with a size",
      "/v1/prune",
      { sandboxes: [], layers: [{ provider: "a", layer: "b", bytes: 1 }] },
    ],
  ])("refuse %s: POST %s", async (_, path, body) => {
    const answer = await api.call(path, { body });
    expect(problem(answer)).toEqual(INVALID);
    expect(answer.body["hint"]).toEqual(expect.any(String));
    await expectNothingMade();
  });

  test("refuse a body that is no JSON", async () => {
    const path = "/v1/templates/built/build";
    expect(problem(await api.call(path, { raw: "{" }))[2]).toBe("REQUEST_INVALID");
    await expectNothingMade();
  });

  test.each<[string, object, string]>([
    ["absent", {}, "TEMPLATE_UNKNOWN"],
    ["..%2fbuilt", {}, "TEMPLATE_UNKNOWN"],
    ["built", { parameters: { size: 9 } }, "PARAMETER_INVALID"],
    ["built", { parameters: { size: "x" } }, "PARAMETER_INVALID"],
    ["built", { parameters: { colour: "red" } }, "PARAMETER_INVALID"],
    ["built", { provider: "absent" }, "PROVIDER_UNKNOWN"],
    ["built", { agent: "absent" }, "AGENT_UNKNOWN"],
    ["built", { mirrors: { targets: "nonsense" } }, "MIRROR_INVALID"],
  ])("end a build of %s with %j by saying why", async (name, body, code) => {
    const end = await buildEnd(name, body);
    expect(end).toMatchObject("problem" in end ? { problem: { code } } : { code });
    await expectNothingMade();
  });

  test("build, list and collect", async () => {
    expect(await buildEnd("built", { parameters: { size: 3 } })).toMatchObject({
      type: "template-built",
      layers: [expect.any(String), expect.stringMatching(/^setup-/)],
    });
    const listed = await api.call("/v1/template-layers");
    expect(listed.body["layers"]).toMatchObject([{ template: "built", sandboxes: 0 }]);
    const collect = async (body: object): Promise<unknown> =>
      (await api.call("/v1/template-layers/collect", { body })).body["layers"];
    expect(await collect({ olderThanMs: 60_000 })).toEqual([]);
    expect(await collect({ olderThanMs: 0, dryRun: true })).toHaveLength(1);
    expect(await collect({ olderThanMs: 0 })).toHaveLength(1);
    expect(await collect({ olderThanMs: 0 })).toEqual([]);
  });

  test.each([
    ["GET", "/v1/templates/absent", "TEMPLATE_UNKNOWN"],
    ["POST", "/v1/templates/absent/resolve", "TEMPLATE_UNKNOWN"],
    ["POST", "/v1/templates/lint", "TEMPLATE_UNKNOWN"],
    ["GET", "/v1/sandboxes/absent/parameters", "SANDBOX_NOT_FOUND"],
  ])("say of what is not there what it is: %s %s", async (method, path, code) => {
    const body = path.endsWith("lint") ? { path: join(yard.root, "absent.yaml") } : {};
    const answer = await api.call(path, method === "GET" ? {} : { body });
    expect([answer.type, answer.body["code"]]).toEqual([PROBLEM, code]);
  });

  test("are whose the daemon is: to nobody else it tells or removes layers", async () => {
    expect(await buildEnd("built", {})).toMatchObject({ type: "template-built" });
    const before = await yard.provider.layers.list();
    await server.close();
    await listen("local:4294967294");
    const answers = [
      await api.call("/v1/template-layers"),
      await api.call("/v1/template-layers/collect", { body: { olderThanMs: 0 } }),
      await api.call("/v1/prunable"),
      await api.call("/v1/prune", { body: { sandboxes: [], layers: [] } }),
    ];
    expect(answers.map(problem)).toEqual(answers.map(() => [403, PROBLEM, "NOT_AUTHORISED"]));
    expect(await yard.provider.layers.list()).toEqual(before);
  });
});
