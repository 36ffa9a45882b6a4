import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TurnEvent } from "../../src/protocol/session.ts";
import { CommandLineYard } from "../support/command-line-yard.ts";
import { KIRO_NEEDS } from "../support/kiro-needs.ts";
import type { Finished } from "../support/running-program.ts";

const MCP_HOST = "tools.example.com";

/** Repeats what it is told, over stdio. It runs inside, beside the agent. */
const STDIO_SERVER = `
  require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const text = method === "tools/call" ? "stdio says " + params.arguments.word : "";
    const result = method === "tools/call" ? { content: [{ type: "text", text }] } : {};
    console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
  });
`;

/** The same over HTTP, outside: it is reached through the gateway or not at all. */
async function startHttpServer(): Promise<Server> {
  const server = createServer((request, response) => {
    request.on("data", (bytes: Buffer) => {
      const { id, method } = JSON.parse(bytes.toString()) as { id?: number; method: string };
      const content = [{ type: "text", text: `http heard at ${request.headers.host}` }];
      const result = method === "tools/call" ? { content } : {};
      response.end(id === undefined ? "" : JSON.stringify({ jsonrpc: "2.0", id, result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function turnsOf({ stdout }: Finished): (TurnEvent & { type: "turn-end" })[] {
  const lines = stdout.toString().trim().split("\n");
  const events = lines.map((line) => JSON.parse(line) as TurnEvent);
  return events.filter((event) => event.type === "turn-end");
}

describe.skipIf(!KIRO_NEEDS.met)(KIRO_NEEDS.title("a chat with Kiro takes"), () => {
  let yard: CommandLineYard;
  let server: Server;
  const named = ["--name", "box"];
  let environment: Record<string, string>;
  const ask = (...words: string[]): Promise<Finished> =>
    yard.chat([...named, ...words], { environment });

  beforeAll(async () => {
    yard = await CommandLineYard.open();
    server = await startHttpServer();
    const { port } = server.address() as AddressInfo;
    const mirror = `${MCP_HOST}:80=127.0.0.1:${port}`;
    environment = { CATTLEGRID_MIRRORS: `${yard.cloud.mirrors},${mirror}` };
    const create = ["create", ...named, "--allow", `${MCP_HOST}:80`, "kiro"];
    await yard.run(create, { environment });
    const agents = join(yard.workspace, ".kiro/agents");
    mkdirSync(agents, { recursive: true });
    writeFileSync(join(yard.workspace, "server.cjs"), STDIO_SERVER);
    const team = {
      name: "team",
      tools: ["*"],
      allowedTools: ["@builtin", "@near", "@far"],
      hooks: { userPromptSubmit: [{ command: "cat >> hooks.log; echo >> hooks.log" }] },
      mcpServers: {
        near: { command: "node", args: ["server.cjs"] },
        far: { url: `http://${MCP_HOST}/mcp` },
        blocked: { url: "http://elsewhere.example.com/mcp" },
      },
    };
    writeFileSync(join(agents, "team.json"), JSON.stringify(team));
  });
  afterAll(async () => {
    server?.close();
    await yard?.close();
  });

  test("an earlier conversation up again, also after stop and start, and begins anew when told", async () => {
    await ask("--prompt", "my name is Ada");
    await yard.run(["stop", "box"]);
    const again = await ask("--prompt", "what is my name");
    expect(again.stdout.toString()).toContain("Your name is Ada.");
    expect(again.stderr.toString()).toContain("Goes on with the conversation so far");
    const anew = await ask("--new", "--prompt", "what is my name");
    expect(anew.stdout.toString()).toContain("I don't know your name");
  });

  test("an engine; each keeps to its own conversations, and says so", async () => {
    const v2 = await ask("--engine", "v2", "--prompt", "my name is Bea");
    expect([v2.exitCode, v2.stdout.toString()]).toEqual([
      0,
      expect.stringMatching(/^Nice to meet you, Bea\. /),
    ]);
    expect(v2.stderr.toString()).toContain("this one begins anew");
    const again = await ask("--engine", "v2", "--output", "json", "--prompt", "what is my name");
    expect(turnsOf(again)[0]).toMatchObject({
      outcome: "succeeded",
      answer: "Your name is Bea.",
    });
    const v3 = await ask("--engine", "v3", "--prompt", "run: echo tools work\nsay: and so do I");
    expect([v3.exitCode, v3.stdout.toString().trim()]).toEqual([0, "and so do I"]);
    const none = await ask("--engine", "v9", "--prompt", "say: x");
    expect([none.exitCode, none.text]).toEqual([
      125,
      expect.stringContaining("AGENT_OPTION_UNAVAILABLE"),
    ]);
  });

  test("a conversation that is lost as lost, before and after it was taken up", async () => {
    await ask("--new", "--prompt", "my name is Cid");
    const list = "kiro-cli chat --list-sessions 2>&1 | grep -o '[0-9a-f-]\\{36\\}'";
    const remove = `for id in $(${list}); do kiro-cli chat --delete-session $id; done`;
    await yard.inside("box", `cd '${yard.workspace}'; ${remove}`);
    const gone = await ask("--prompt", "what is my name");
    expect(gone.stderr.toString()).toContain("cannot be gone on with; this one begins anew");
    expect(gone.stdout.toString()).toContain("I don't know your name");
    await ask("--new", "--engine", "v2", "--prompt", "my name is Dan");
    await yard.inside("box", "rm -f ~/.kiro/sessions/cli/*");
    const lost = await ask("--engine", "v2", "--prompt", "what is my name");
    expect([lost.exitCode, lost.text]).toEqual([125, expect.stringContaining("AGENT_RESUME_LOST")]);
  });

  test("a model; one that Kiro does not know fails the turn", async () => {
    const large = await ask("--new", "--model", "simulated-large", "--prompt", "which model");
    expect(large.stdout.toString()).toContain("I am simulated-large.");
    const none = await ask("--new", "--model", "nope", "--prompt", "say: x");
    expect([none.exitCode, none.text]).toEqual([
      1,
      expect.stringContaining("'nope' does not exist"),
    ]);
    const odd = await ask("--model=--trust-tools=", "--prompt", "say: x");
    expect([odd.exitCode, odd.text]).toEqual([125, expect.stringContaining("REQUEST_INVALID")]);
  });

  test("an agent of the project: a hook, MCP servers by stdio and HTTP, three subagents at once", async () => {
    const prompt =
      'mcp near repeat: {"word":"hi"}\nmcp far repeat: {}\n' +
      "subagents: meet 3: a | meet 3: b | meet 3: c\nsay: all of it";
    const { exitCode, stdout, stderr } = await ask("--new", "--agent", "team", "--prompt", prompt);
    expect(exitCode).toBe(0);
    for (const text of [
      "stdio says hi",
      `http heard at ${MCP_HOST}`,
      "Subagent 1: a",
      "Subagent 2: b",
      "Subagent 3: c",
    ]) {
      expect(stdout.toString()).toContain(` ✓ ${text}\n`);
    }
    expect(stderr.toString()).toContain("MCP server blocked failed to start");
    const log = readFileSync(join(yard.workspace, "hooks.log"), "utf8");
    expect(JSON.parse(log)).toMatchObject({ hook_event_name: "userPromptSubmit", prompt });
    const egress = (await yard.run(["logs", "box", "--egress", "--json"])).stdout.toString();
    const seen = egress
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const named = (name: string, action: string): unknown[] =>
      seen.filter((record) => record["name"] === name && record["action"] === action);
    expect(named(MCP_HOST, "allow").length).toBeGreaterThan(0);
    expect(named("elsewhere.example.com", "deny").length).toBeGreaterThan(0);
  });

  test("a missing agent as V1's warning, and as V2's status 4", async () => {
    const v1 = await ask("--new", "--agent", "absent", "--prompt", "say: on");
    expect([v1.exitCode, v1.text]).toEqual([0, expect.stringContaining("Falling back")]);
    const v2 = await ask("--new", "--agent", "absent", "--engine", "v2", "--prompt", "say: on");
    expect([v2.exitCode, v2.text]).toEqual([4, expect.stringContaining("did not find the agent")]);
  });

  test("a plan in a workspace that it can read and not write", async () => {
    writeFileSync(join(yard.workspace, "facts.txt"), "the facts");
    const plan = ["--mode", "readonly", "--agent", "kiro_planner", "--keep"];
    const prompt = "run: cat facts.txt\nwrite plan.txt: mine\nsay: planned";
    const { exitCode, stdout, stderr } = await yard.chat([...plan, "--prompt", prompt]);
    expect([exitCode, stdout.toString()]).toEqual([0, expect.stringContaining("the facts")]);
    expect(stdout.toString()).toContain("planned");
    expect(stderr.toString()).toMatch(/Execution failed[^]*(EROFS|read-only)/);
    expect(existsSync(join(yard.workspace, "plan.txt"))).toBe(false);
  });

  test("a Kiro newer than all that is known like the newest known, and says so", async () => {
    const newer = ["--name", "newer", "-e", "FAKE_KIRO_VERSION=4.1.0", "-e", "FAKE_KIRO_ENGINE=v2"];
    const prompts = ["--prompt", "my name is Eve", "--prompt", "what is my name"];
    const { exitCode, stdout, stderr } = await yard.chat([...newer, ...prompts]);
    expect([exitCode, stdout.toString()]).toEqual([
      0,
      expect.stringContaining("Your name is Eve."),
    ]);
    expect(stderr.toString()).toContain("Kiro CLI 4.1.0 is newer than the versions");
  });
});
