import { expect, test } from "vitest";
import { AcpFence } from "./acp-fence.ts";

const fence = new AcpFence("/home/ada/hello");
const request = (method: string, params: unknown = {}): string =>
  JSON.stringify({ jsonrpc: "2.0", id: 7, method, params });
const error = (code: number): unknown =>
  expect.objectContaining({ id: 7, error: expect.objectContaining({ code }) });

test("the editor's files and terminals are not offered to the agent, everything else of its offer is", () => {
  const clientCapabilities = {
    fs: { readTextFile: true, writeTextFile: true },
    terminal: true,
    auth: { terminal: true },
  };
  const { pass, reply } = fence.fromEditor(
    request("initialize", { protocolVersion: 1, clientCapabilities }),
  );
  expect(reply).toBeUndefined();
  expect(JSON.parse(pass ?? "")).toMatchObject({
    id: 7,
    params: {
      protocolVersion: 1,
      clientCapabilities: {
        fs: { readTextFile: false, writeTextFile: false },
        terminal: false,
        auth: { terminal: true },
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
