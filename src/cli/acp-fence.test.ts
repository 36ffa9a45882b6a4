import { expect, test } from "vitest";
import { AcpFence } from "./acp-fence.ts";

const fence = new AcpFence("/home/ada/hello");
const request = (method: string, params: unknown = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 7, method, params });
const error = (code: number): unknown =>
  expect.objectContaining({ id: 7, error: expect.objectContaining({ code }) });

test("the editor's files, terminals and logins in one are not offered to the agent, everything else of its offer is", () => {
  const clientCapabilities = {
    fs: { readTextFile: true, writeTextFile: true },
    terminal: true,
    auth: { terminal: true, other: true },
    session: { configOptions: {} },
    _meta: { "terminal-auth": true, other: true },
  };
  const { pass, reply } = fence.fromEditor(
    request("initialize", { protocolVersion: 1, clientCapabilities }),
  );
  expect(reply).toBeUndefined();
  expect(JSON.parse(pass ?? "")).toEqual({
    jsonrpc: "2.0",
    id: 7,
    method: "initialize",
    params: {
      protocolVersion: 1,
      clientCapabilities: {
        fs: { readTextFile: false, writeTextFile: false },
        terminal: false,
        auth: { terminal: false, other: true },
        session: { configOptions: {} },
        _meta: { other: true },
      },
    },
  });
});

test.each(["fs/read_text_file", "fs/write_text_file", "terminal/create", "terminal/output"])(
  "an agent that asks for %s all the same is answered here, and the editor never sees it",
  (method) => {
    const { pass, reply } = fence.fromAgent(request(method, { path: "/etc/passwd" }));
    expect(pass).toBeUndefined();
    expect(JSON.parse(reply ?? "")).toEqual(error(-32601));
    expect(fence.fromAgent(JSON.stringify({ jsonrpc: "2.0", method }))).toEqual({});
    const disguised = JSON.stringify({ jsonrpc: "2.0", id: 7, method, result: {} });
    expect(fence.fromAgent(disguised).pass).toBeUndefined();
  },
);

test.each([
  (authMethods: unknown) => ({ result: { protocolVersion: 1, authMethods } }),
  (authMethods: unknown) => ({ error: { code: -32000, message: "x", data: { authMethods } } }),
])(
  "a login that the editor would carry out itself is taken out of the agent's answer",
  (answer) => {
    const key = { id: "key", name: "API key" };
    const run = { args: ["login"], env: { NODE_OPTIONS: "--import /work/evil.js" } };
    const offered = [
      { id: "terminal", name: "Sign in", type: "terminal", ...run },
      { id: "variable", name: "Sign in", type: "env_var", vars: [{ name: "NODE_OPTIONS" }] },
      { id: "later", name: "Sign in", type: "of a later protocol" },
      { ...key, _meta: { "terminal-auth": { command: "sh", ...run } } },
      { ...key, type: "agent" },
    ];
    const message = { jsonrpc: "2.0", id: 7 };
    const { pass } = fence.fromAgent(JSON.stringify({ ...message, ...answer(offered) }));
    expect(JSON.parse(pass ?? "")).toEqual({
      ...message,
      ...answer([key, { ...key, type: "agent" }]),
    });
  },
);

test.each(["session/update", "session/request_permission", "session/prompt"])(
  "%s passes as it is, byte for byte, both ways",
  (method) => {
    const line = `{ "jsonrpc":"2.0","id":1, "method":"${method}","params":{"x":"ü"}}`;
    expect(fence.fromAgent(line)).toEqual({ pass: line });
    expect(fence.fromEditor(line)).toEqual({ pass: line });
  },
);

test.each([
  ["/home/ada/hello", true],
  ["/home/ada/hello/src", true],
  ["/home/ada/hello/../.ssh", false],
  ["/home/ada/hello2", false],
  ["/", false],
  ["src", false],
  [7, false],
])("a session in %j is let in: %s", (cwd, isIn) => {
  const line = request("session/new", { cwd, mcpServers: [] });
  const { pass, reply } = fence.fromEditor(line);
  expect(pass).toBe(isIn ? line : undefined);
  expect(reply === undefined ? undefined : JSON.parse(reply)).toEqual(
    isIn ? undefined : error(-32602),
  );
});

test("what is no message is answered to an editor, and kept from one", () => {
  expect(fence.fromEditor("[]").reply).toContain("-32600");
  expect(fence.fromAgent("Warning: no colours")).toEqual({});
});
